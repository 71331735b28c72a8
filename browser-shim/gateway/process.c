#include "browser-shim/gateway/process.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "browser-shim/gateway/gateway.h"
#include "browser-shim/pin.h"
#include "browser-shim/sandbox_policy.h"
#include "proto/link.h"

/* The page is https://localhost:PORT to everybody else. */
#define HOST "localhost"

enum { LISTENER_FD = STDERR_FILENO + 1, HANDLE_FD, SUPPLY_FD, ABOVE = 16 };

struct process {
    struct ev_loop *loop;
    struct link supply;
    struct codec_arena *arena;
    struct gateway *gateway;
    ev_io on_supply;
};

/* What was inherited may be at any of the numbers, so everything first moves out of the way. */
static bool keep_descriptors(const struct gateway_task *task)
{
    const int kept[] = {task->listener, task->handle, task->supply};
    enum { NUM = sizeof kept / sizeof kept[0] };
    int moved[NUM];
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) return false;
    for (int i = 0; i < NUM; i++) {
        moved[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, ABOVE);
        if (moved[i] < 0) return false;
    }
    for (int i = 0; i < NUM; i++) {
        if (dup3(moved[i], LISTENER_FD + i, O_CLOEXEC) < 0) return false;
    }
    return close_range(LISTENER_FD + NUM, ~0u, 0) == 0;
}

/* All that is there, before any connection that waits is given its key: web may show another certificate from here on. */
static void hear_supply(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct process *process = watcher->data;
    for (;;) {
        struct msg msg = {0};
        struct packet_extra extra = {0};
        enum err err = link_recv(&process->supply, &msg, &extra, process->arena);
        if (err == ERR_AGAIN) return;
        if (err != ERR_OK) {
            ev_io_stop(loop, watcher); /* the launcher has ended, or is about to end us */
            return;
        }
        if (msg.kind == MSG_SHIM_RENEW) gateway_take_handle(process->gateway, packet_extra_take(&extra, 0));
        packet_extra_close(&extra);
    }
}

static enum err begin(struct process *process, const struct gateway_task *task, struct diag *diag)
{
    if (!keep_descriptors(task)) return diag_set(diag, ERR_SYSTEM, "cannot arrange descriptors: %s", strerror(errno));
    enum err err = pin_handle(HANDLE_FD, "the gateway", diag);
    if (err != ERR_OK) return err;
    struct gateway_config config = gateway_config_usual;
    config.listener = LISTENER_FD;
    config.host = HOST;
    config.port = task->port;
    process->supply = (struct link){.fd = SUPPLY_FD, .role = LINK_BROKER_SHIM, .end = LINK_LOWER};
    process->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    process->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (process->arena == NULL || process->loop == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    err = gateway_new(&process->gateway, process->loop, &config);
    if (err != ERR_OK) return diag_set(diag, err, "%s", err_name(err));
    ev_io_init(&process->on_supply, hear_supply, SUPPLY_FD, EV_READ);
    ev_set_priority(&process->on_supply, EV_MAXPRI);
    process->on_supply.data = process;
    ev_io_start(process->loop, &process->on_supply);
    return sandbox_enter_connecting(&gateway_policy, NULL, 0, &config.port, 1, diag);
}

_Noreturn void gateway_become(const struct gateway_task *task)
{
    struct process process = {0};
    struct diag diag = {0};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    log_open("gateway");
    enum err err = begin(&process, task, &diag);
    if (err == ERR_OK) {
        gateway_take_handle(process.gateway, HANDLE_FD);
        ev_run(process.loop, 0);
        err = diag_set(&diag, ERR_SYSTEM, "its loop has ended");
    }
    log_error("gateway not started reason=%s", log_quote(diag.text));
    _exit(err_exit_code(err));
}
