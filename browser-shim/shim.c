#include "browser-shim/shim.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "browser-shim/launcher.h"
#include "browser-shim/sandbox_policy.h"

struct shim {
    struct link broker;
    struct launcher launcher;
    struct codec_arena *arena;
    bool stopping; /* the launcher was told */
    bool finished;
    int exit_code;
    struct ev_loop *loop;
    ev_io on_broker;
    ev_io on_launcher;
    ev_io on_launcher_gone;
    ev_timer on_patience_end;
};

/* The first reason to end is the one that counts. */
static void finish(struct shim *shim, int exit_code)
{
    if (shim->finished) return;
    shim->finished = true;
    shim->exit_code = exit_code;
    ev_break(shim->loop, EVBREAK_ALL);
}

/* The broker reads why; that it is gone, it knows itself. */
static int fail(const struct link *broker, enum err err, const char *text)
{
    struct msg failed = {.kind = MSG_FAILED, .failed = {.text = text, .error = (uint32_t)err}};
    if (link_send(broker, &failed, NULL, 0) != ERR_OK) log_line("%s", text);
    return err_exit_code(err);
}

/* The launcher takes the browser with it. If it does not answer, our own end ends it. */
static void stop(struct shim *shim)
{
    if (shim->stopping) return;
    shim->stopping = true;
    ev_io_stop(shim->loop, &shim->on_broker);
    struct msg order = {.kind = MSG_STOP};
    if (link_send(&shim->launcher.link, &order, NULL, 0) != ERR_OK) {
        finish(shim, 0);
        return;
    }
    ev_now_update(shim->loop);
    ev_timer_start(shim->loop, &shim->on_patience_end);
}

static void hear_broker(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct shim *shim = watcher->data;
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = link_recv(&shim->broker, &msg, &extra, shim->arena);
    if (err == ERR_AGAIN) return;
    if (err == ERR_OK && (msg.kind == MSG_SHIM_LAUNCH || msg.kind == MSG_SHIM_RENEW || msg.kind == MSG_PING)) {
        err = link_send(&shim->launcher.link, &msg, extra.fds, extra.num_fds);
    } else {
        stop(shim); /* STOP, the broker's end, or what only comes once */
    }
    packet_extra_close(&extra);
    if (err != ERR_OK) stop(shim);
}

/* What the launcher says is for the broker; that it failed is its last word. */
static enum err pass_on(struct shim *shim)
{
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = link_recv(&shim->launcher.link, &msg, &extra, shim->arena);
    if (err != ERR_OK) return err;
    err = link_send(&shim->broker, &msg, extra.fds, extra.num_fds);
    packet_extra_close(&extra);
    if (err != ERR_OK) stop(shim);
    if (msg.kind == MSG_FAILED) finish(shim, err_exit_code((enum err)msg.failed.error));
    return ERR_OK;
}

static void hear_launcher(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    enum err err = pass_on(watcher->data);
    if (err == ERR_OK || err == ERR_AGAIN) return;
    ev_io_stop(loop, watcher); /* its end is seen at its pidfd */
    if (err != ERR_CLOSED) stop(watcher->data);
}

static void launcher_gone(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct shim *shim = watcher->data;
    siginfo_t info = {0};
    ev_io_stop(loop, watcher);
    if (waitid(P_PIDFD, (id_t)shim->launcher.pidfd, &info, WEXITED) != 0) log_line("launcher lost");
    while (pass_on(shim) == ERR_OK) {
    }
    if (shim->stopping) finish(shim, 0);
    if (shim->finished) return;
    struct diag diag = {0};
    enum err err = diag_set(&diag, ERR_SYSTEM, "browser's launcher: ended unexpectedly (%s %d)",
                            info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
    finish(shim, fail(&shim->broker, err, diag.text));
}

static void patience_end(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct shim *shim = watcher->data;
    log_line("browser does not end and is killed");
    finish(shim, 0);
}

static void watch(struct shim *shim)
{
    ev_io_init(&shim->on_broker, hear_broker, shim->broker.fd, EV_READ);
    ev_io_init(&shim->on_launcher, hear_launcher, shim->launcher.link.fd, EV_READ);
    ev_io_init(&shim->on_launcher_gone, launcher_gone, shim->launcher.pidfd, EV_READ);
    ev_timer_init(&shim->on_patience_end, patience_end, DEADLINE_SHUTDOWN_MS / 1000., 0.);
    shim->on_broker.data = shim;
    shim->on_launcher.data = shim;
    shim->on_launcher_gone.data = shim;
    shim->on_patience_end.data = shim;
    ev_io_start(shim->loop, &shim->on_broker);
    ev_io_start(shim->loop, &shim->on_launcher);
    ev_io_start(shim->loop, &shim->on_launcher_gone);
}

/* The first message says what to do, and everything that needs privileges follows from it. Its text lives in arena. */
static enum err set_up(struct shim *shim, struct codec_arena *arena, struct diag *diag)
{
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = channel_wait(shim->broker.fd, DEADLINE_START_MS);
    if (err == ERR_OK) err = link_recv(&shim->broker, &msg, &extra, arena);
    if (err != ERR_OK) return diag_set(diag, err, "no set-up from the broker: %s", err_name(err));
    if (msg.kind != MSG_SHIM_SETUP) {
        packet_extra_close(&extra);
        return diag_set(diag, ERR_MALFORMED, "%s came before the set-up", msg_kind_name(msg.kind));
    }
    log_set_style(msg.shim_setup.log_style);
    struct launcher_task task = {
        .setup = &msg.shim_setup,
        .module_fd = extra.fds[0],
        .screenshot_fd = msg.shim_setup.has_screenshot ? extra.fds[1] : -1,
        .broker_fd = shim->broker.fd,
    };
    err = launcher_start(&shim->launcher, &task, diag);
    packet_extra_close(&extra);
    if (err == ERR_OK) err = sandbox_isolate(&shim_policy, diag);
    return err;
}

static enum err start(struct shim *shim, struct diag *diag)
{
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (arena == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    enum err err = set_up(shim, arena, diag);
    codec_arena_free(arena);
    if (err != ERR_OK) return err;
    shim->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    shim->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (shim->arena == NULL || shim->loop == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    return sandbox_enter(&shim_policy, NULL, 0, diag);
}

int shim_run(int broker_fd)
{
    struct shim shim = {.broker = {.fd = broker_fd, .role = LINK_BROKER_SHIM, .end = LINK_LOWER}};
    struct diag diag = {0};
    log_open("browser-shim");
    enum err err = start(&shim, &diag);
    if (err != ERR_OK) return fail(&shim.broker, err, diag.text);
    watch(&shim);
    ev_run(shim.loop, 0);
    return shim.exit_code;
}
