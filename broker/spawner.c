#include "broker/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "broker/child.h"
#include "broker/privilege.h"
#include "broker/sandbox_policy.h"
#include "broker/topology.h"

struct nursery {
    struct link link;
    struct codec_arena *arena;
    const struct spawner_plan *plan;
    int null;
    int signals;
    pid_t children[LIMIT_PROCESSES];
};

static enum err say(const struct nursery *nursery, const struct msg *msg, const int *fds, size_t num_fds)
{
    enum err err = link_send(&nursery->link, msg, fds, num_fds);
    if (err != ERR_AGAIN) return err;
    /* The broker is behind. There is nothing else to do here than to wait for it. */
    struct pollfd room = {.fd = nursery->link.fd, .events = POLLOUT};
    if (poll(&room, 1, DEADLINE_START_MS) != 1) return ERR_CLOSED;
    return link_send(&nursery->link, msg, fds, num_fds);
}

static enum err say_failed(const struct nursery *nursery, uint64_t id, enum err err, const char *text)
{
    const struct msg msg = {.kind = MSG_FAILED, .id = id, .failed = {.text = text, .error = (uint32_t)err}};
    return say(nursery, &msg, NULL, 0);
}

static pid_t *find_child(struct nursery *nursery, pid_t pid)
{
    for (size_t i = 0; i < LIMIT_PROCESSES; i++) {
        if (nursery->children[i] == pid) return &nursery->children[i];
    }
    return NULL;
}

/* Forks and returns the child's pid, or says why not and returns 0. */
static pid_t start_child(const struct nursery *nursery, const struct msg *order, int channel)
{
    enum program program = order->spawn.program;
    const struct child_plan plan = {
        .name = topology_of(program)->file,
        .program = nursery->plan->programs->fds[program],
        .channel = channel,
        .null = nursery->null,
        .user = &nursery->plan->users[program],
        .parent = getpid(),
    };
    if (plan.program < 0) return 0;
    pid_t pid = fork();
    if (pid == 0) child_become(&plan);
    return pid < 0 ? 0 : pid;
}

static enum err answer_spawn(struct nursery *nursery, const struct msg *order, int channel)
{
    pid_t *slot = find_child(nursery, 0);
    if (!slot) return say_failed(nursery, order->id, ERR_TOO_LARGE, "too many processes");
    errno = ENOENT;
    pid_t pid = start_child(nursery, order, channel);
    if (pid == 0) return say_failed(nursery, order->id, ERR_SYSTEM, strerror(errno));
    *slot = pid;
    AUTO_FD pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        /* It is not waited for here; its end is reported like any other. */
        (void)kill(pid, SIGKILL);
        return say_failed(nursery, order->id, ERR_SYSTEM, "pidfd_open failed");
    }
    const struct msg msg = {
        .kind = MSG_SPAWNED,
        .id = order->id,
        .spawned = {.program = order->spawn.program, .instance = order->spawn.instance, .pid = (uint32_t)pid},
    };
    return say(nursery, &msg, &pidfd, 1);
}

static enum err answer_load(struct nursery *nursery, const struct msg *order, int channel)
{
    pid_t *slot = find_child(nursery, 0);
    if (!slot) return say_failed(nursery, order->id, ERR_TOO_LARGE, "too many processes");
    pid_t pid = fork();
    if (pid == 0) loader_run(channel, &nursery->plan->loader);
    if (pid < 0) return say_failed(nursery, order->id, ERR_SYSTEM, strerror(errno));
    *slot = pid;
    return ERR_OK;
}

/* Only what was started here and is not reaped yet can be killed, so a number that the kernel gave away again cannot
 * be hit. */
static void answer_kill(struct nursery *nursery, const struct msg *order)
{
    pid_t pid = (pid_t)order->kill.pid;
    if (pid > 0 && find_child(nursery, pid)) (void)kill(pid, (int)order->kill.signal);
}

static enum err reap(struct nursery *nursery)
{
    struct signalfd_siginfo info;
    while (read(nursery->signals, &info, sizeof info) > 0) {
    }
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) return ERR_OK;
        pid_t *child = find_child(nursery, pid);
        if (!child) continue;
        *child = 0;
        const struct msg msg = {.kind = MSG_EXITED, .exited = {.pid = (uint32_t)pid, .status = (uint32_t)status}};
        enum err err = say(nursery, &msg, NULL, 0);
        if (err != ERR_OK) return err;
    }
}

static void kill_all(struct nursery *nursery)
{
    for (size_t i = 0; i < LIMIT_PROCESSES; i++) {
        if (nursery->children[i] > 0) (void)kill(nursery->children[i], SIGKILL);
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

static enum err answer(struct nursery *nursery)
{
    struct msg msg;
    struct packet_extra extra;
    enum err err = link_recv(&nursery->link, &msg, &extra, nursery->arena);
    if (err != ERR_OK) return err == ERR_AGAIN ? ERR_OK : err;
    if (msg.kind == MSG_SPAWN) err = answer_spawn(nursery, &msg, extra.fds[0]);
    if (msg.kind == MSG_LOAD) err = answer_load(nursery, &msg, extra.fds[0]);
    if (msg.kind == MSG_KILL) answer_kill(nursery, &msg);
    if (msg.kind == MSG_PING) err = say(nursery, &(struct msg){.kind = MSG_PONG, .id = msg.id}, NULL, 0);
    if (msg.kind == MSG_STOP) err = ERR_CLOSED;
    packet_extra_close(&extra);
    return err;
}

static enum err run(struct nursery *nursery)
{
    struct pollfd waits[] = {
        {.fd = nursery->link.fd, .events = POLLIN},
        {.fd = nursery->signals, .events = POLLIN},
    };
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) return ERR_SYSTEM;
        enum err err = ERR_OK;
        if (waits[1].revents) err = reap(nursery);
        if (err == ERR_OK && waits[0].revents) err = answer(nursery);
        if (err != ERR_OK) return err;
    }
}

static enum err prepare(struct nursery *nursery, struct diag *diag)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    nursery->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    nursery->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!nursery->arena || nursery->null < 0) return diag_set(diag, ERR_SYSTEM, "/dev/null: %s", strerror(errno));
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &children, NULL);
    nursery->signals = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
    if (nursery->signals < 0) return diag_set(diag, ERR_SYSTEM, "signalfd: %s", strerror(errno));
    enum err err = privilege_keep_spawning(diag);
    if (err == ERR_OK) err = sandbox_enter(&spawner_policy, NULL, 0, diag);
    return err;
}

int spawner_run(int channel, const struct spawner_plan *plan)
{
    struct diag diag = {0};
    struct nursery nursery = {
        .link = {.fd = channel, .role = LINK_BROKER_SPAWNER, .end = LINK_LOWER},
        .plan = plan,
    };
    const struct msg ready = {.kind = MSG_READY};
    enum err err = prepare(&nursery, &diag);
    if (err != ERR_OK) {
        if (say_failed(&nursery, 0, err, diag.text) != ERR_OK) log_line("%s", diag.text);
        return err_exit_code(err);
    }
    err = say(&nursery, &ready, NULL, 0);
    if (err == ERR_OK) err = run(&nursery);
    if (err != ERR_CLOSED) log_line("ends error=%s", err_name(err));
    kill_all(&nursery);
    codec_arena_free(nursery.arena);
    return err == ERR_CLOSED ? 0 : err_exit_code(err);
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes all but the standard streams, the channel, the leash and the programs' files. */
static void close_others(int channel, int leash, const struct programs *programs)
{
    int keep[PROGRAM_NUM + 2] = {channel, leash};
    size_t num = 2;
    for (size_t i = 0; i < PROGRAM_NUM; i++) {
        if (programs->fds[i] >= 0) keep[num++] = programs->fds[i];
    }
    qsort(keep, num, sizeof *keep, compare_fds);
    unsigned from = STDERR_FILENO + 1;
    for (size_t i = 0; i < num; i++) {
        if ((unsigned)keep[i] > from) (void)close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    (void)close_range(from, ~0u, 0);
}

/* A stopped process ends neither because its channel closes nor because its parent has died as another user. But the kernel
 * sends a pipe's reader, when the last writer is gone, the signal that it has asked for, in the reader's own name. */
static bool put_on(int leash)
{
    return fcntl(leash, F_SETOWN, getpid()) == 0 && fcntl(leash, F_SETSIG, SIGKILL) == 0 &&
           fcntl(leash, F_SETFL, O_ASYNC | O_NONBLOCK) == 0;
}

void spawner_pull(struct spawner *spawner)
{
    auto_close(&spawner->leash);
    spawner->leash = -1;
}

/* In a session of its own, so that ctrl-C reaches the broker alone, which then stops all in order. */
static _Noreturn void become_spawner(int channel, int leash, const struct spawner_plan *plan)
{
    (void)setsid();
    (void)prctl(PR_SET_NAME, "spawner");
    log_open("spawner");
    close_others(channel, leash, plan->programs);
    if (!put_on(leash)) {
        log_error("cannot be made to end with the broker: %s", strerror(errno));
        _exit(EXIT_SYSTEM);
    }
    _exit(spawner_run(channel, plan));
}

static enum err await_ready(const struct spawner *spawner, struct diag *diag)
{
    struct msg msg;
    struct packet_extra extra;
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (!arena) return diag_set(diag, ERR_MEMORY, "spawner: no memory");
    enum err err = channel_wait(spawner->link.fd, DEADLINE_START_MS);
    if (err == ERR_OK) err = link_recv(&spawner->link, &msg, &extra, arena);
    if (err != ERR_OK) {
        (void)diag_set(diag, err, "spawner: did not start (%s)", err_name(err));
    } else if (msg.kind == MSG_FAILED) {
        err = diag_set(diag, (enum err)msg.failed.error, "spawner: %s", msg.failed.text);
    }
    codec_arena_free(arena);
    return err;
}

enum err spawner_start(struct spawner *out, const struct spawner_plan *plan, struct diag *diag)
{
    int ends[2], leash[2];
    if (channel_pair(ends) != ERR_OK || pipe2(leash, O_CLOEXEC) != 0)
        return diag_set(diag, ERR_SYSTEM, "spawner: no channel: %s", strerror(errno));
    out->leash = leash[1];
    out->link = (struct link){.fd = ends[0], .role = LINK_BROKER_SPAWNER, .end = LINK_UPPER};
    out->pid = fork();
    if (out->pid == 0) become_spawner(ends[1], leash[0], plan);
    close(ends[1]);
    close(leash[0]);
    if (out->pid < 0) return diag_set(diag, ERR_SYSTEM, "spawner: cannot fork: %s", strerror(errno));
    out->pidfd = (int)syscall(SYS_pidfd_open, out->pid, 0);
    if (out->pidfd < 0) return diag_set(diag, ERR_SYSTEM, "spawner: pidfd_open: %s", strerror(errno));
    return await_ready(out, diag);
}
