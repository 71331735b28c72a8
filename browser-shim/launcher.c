#include "browser-shim/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "browser-shim/browser_kind.h"
#include "browser-shim/gateway/process.h"
#include "browser-shim/layout.h"
#include "browser-shim/namespace.h"
#include "browser-shim/sandbox_policy.h"

enum launcher_state {
    LAUNCHER_IDLE,     /* no process but this one */
    LAUNCHER_RUNNING,  /* a browser, or the child that is about to become one */
    LAUNCHER_CLEARING, /* all are killed and not yet all reaped */
};

struct process_one {
    struct link link;
    struct codec_arena *arena;
    struct shim_setup setup; /* its strings are the shim's */
    const struct browser_kind *kind;
    char origin[PROFILE_ORIGIN];
    int screenshot_fd;
    int signal_fd;             /* SIGCHLD */
    int listener;              /* the gateway's; -1: the browser speaks with web itself */
    char plain[LIMIT_URL + 1]; /* the page, as the gateway serves it */

    enum launcher_state state;
    pid_t browser;
    pid_t gateway;           /* 0: none */
    uint32_t browser_status; /* as wait(2) gives it; valid once it has ended */
    struct link report;      /* from the child, until it has become the browser; fd -1: none */
    struct link supply;      /* to the module in the browser, or to the gateway; fd -1: none */
    int next_handle;         /* for the browser that is to follow; -1: none */
};

/* The shim is the only one who listens, and without it there is nothing to do. */
static void tell(const struct process_one *self, const struct msg *msg, const int *fds, size_t num_fds)
{
    if (link_send(&self->link, msg, fds, num_fds) != ERR_OK) _exit(EXIT_SYSTEM);
}

static void tell_browser(const struct process_one *self, enum browser_state state)
{
    struct msg msg = {.kind = MSG_SHIM_BROWSER, .shim_browser = {.state = state, .pid = (uint32_t)self->browser}};
    if (state == BROWSER_ENDED) msg.shim_browser.status = self->browser_status;
    tell(self, &msg, NULL, 0);
}

/* ---- Preparing --------------------------------------------------------------------------------------------------- */

static enum err watch_children(struct process_one *self, struct diag *diag)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    self->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self->signal_fd >= 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "browser's launcher: signalfd: %s", strerror(errno));
}

/* What is https to web is plain to the browser, at the same port: pages ask their own origin. */
static enum err prepare_gateway(struct process_one *self, struct diag *diag)
{
    const size_t scheme_len = strlen("https");
    snprintf(self->plain, sizeof self->plain, "http%s", self->setup.url + scheme_len);
    self->setup.url = self->plain;
    return namespace_listen(&self->listener, self->setup.port, diag);
}

/* Makes everything that the browser is to find. Afterwards the launcher can make nothing more. */
static enum err prepare(struct process_one *self, int *out_listener, int module_fd, uid_t uid, gid_t gid,
                        struct diag *diag)
{
    const struct shim_setup *setup = &self->setup;
    enum err err = profile_origin(self->origin, setup->url, diag);
    if (err == ERR_OK) err = namespace_map_user(uid, gid, diag);
    if (err == ERR_OK) err = namespace_listen(out_listener, setup->web_port, diag);
    if (err == ERR_OK && setup->port != setup->web_port) err = prepare_gateway(self, diag);
    if (err == ERR_OK) err = namespace_cover(setup, self->kind, self->origin, module_fd, diag);
    if (err == ERR_OK) err = namespace_drop_capabilities(diag);
    if (err == ERR_OK) err = watch_children(self, diag);
    if (err == ERR_OK) err = sandbox_enter(&launcher_policy, NULL, 0, diag);
    return err;
}

static _Noreturn void fail(const struct process_one *self, enum err err, const struct diag *diag)
{
    struct msg failed = {.kind = MSG_FAILED, .failed = {.text = diag->text, .error = (uint32_t)err}};
    tell(self, &failed, NULL, 0);
    _exit(err_exit_code(err));
}

/* ---- One browser ------------------------------------------------------------------------------------------------- */

static void close_report(struct process_one *self)
{
    auto_close(&self->report.fd);
    self->report.fd = -1;
}

/* Returns the browser's end, the caller's to close; -1: there is none. */
static int make_supply(struct process_one *self)
{
    int ends[2];
    if (channel_pair(ends) != ERR_OK) return -1;
    auto_close(&self->supply.fd);
    self->supply.fd = ends[0];
    return ends[1];
}

/* Its end is the browser's, as the browser's is its own. */
static pid_t fork_gateway(struct process_one *self, int handle_fd, int supply_fd)
{
    const struct gateway_task task = {
        .listener = self->listener, .handle = handle_fd, .supply = supply_fd, .port = self->setup.web_port};
    self->gateway = fork();
    if (self->gateway == 0) gateway_become(&task);
    return self->gateway;
}

static enum err fork_browser(struct process_one *self, int handle_fd, struct diag *diag)
{
    int ends[2];
    struct browser_command command;
    browser_command_init(&command, self->kind, &self->setup);
    const struct profile_words words = {.origin = self->origin, .module = LAYOUT_MODULE};
    enum err err = profile_make(LAYOUT_HOME, self->kind->files, self->kind->num_files, &words, diag);
    if (err != ERR_OK) return err;
    AUTO_FD supply = make_supply(self);
    if (supply < 0 || channel_pair(ends) != ERR_OK) return diag_set(diag, ERR_SYSTEM, "browser: %s", strerror(errno));
    const bool has_gateway = self->listener >= 0;
    pid_t pid = has_gateway ? fork_gateway(self, handle_fd, supply) : 0;
    if (pid >= 0) pid = fork();
    if (pid == 0) {
        struct link report = {.fd = ends[1], .role = LINK_BROKER_SHIM, .end = LINK_LOWER};
        browser_become(&command, has_gateway ? -1 : handle_fd, has_gateway ? -1 : supply, &report);
    }
    close(ends[1]);
    self->report = (struct link){.fd = ends[0], .role = LINK_BROKER_SHIM, .end = LINK_UPPER};
    self->browser = pid;
    if (pid > 0) return ERR_OK;
    close_report(self);
    return diag_set(diag, ERR_SYSTEM, "browser: fork: %s", strerror(errno));
}

static void start_browser(struct process_one *self, int handle_fd)
{
    struct diag diag = {0};
    enum err err = fork_browser(self, handle_fd, &diag);
    close(handle_fd);
    if (err == ERR_OK) {
        self->state = LAUNCHER_RUNNING;
        return;
    }
    log_error("browser not started reason=%s", log_quote(diag.text));
    self->state = LAUNCHER_IDLE;
    self->browser = 0;
    self->browser_status = W_EXITCODE(EXIT_SYSTEM, 0);
    tell_browser(self, BROWSER_ENDED);
}

/* Everything in the namespace but this process. */
static void kill_all(struct process_one *self)
{
    self->state = LAUNCHER_CLEARING;
    kill(-1, SIGKILL);
}

/* The child says why it could not become the browser, or nothing: then its end of the report was closed by the
 * execution. */
static void hear_report(struct process_one *self)
{
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = link_recv(&self->report, &msg, &extra, self->arena);
    packet_extra_close(&extra);
    if (err == ERR_AGAIN) return;
    if (err == ERR_CLOSED) tell_browser(self, BROWSER_STARTED);
    if (err == ERR_OK && msg.kind == MSG_FAILED) log_error("browser not started reason=%s", log_quote(msg.failed.text));
    close_report(self);
}

static enum err copy_screenshot(int to, struct diag *diag)
{
    const off_t max = 64 << 20;
    struct stat info = {0};
    AUTO_FD from = open(LAYOUT_SCREENSHOT, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0 || fstat(from, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > max) {
        return diag_set(diag, ERR_NOT_FOUND, "screenshot: the browser has left none: %s", strerror(errno));
    }
    off_t offset = 0;
    while (offset < info.st_size) {
        ssize_t sent = sendfile(to, from, &offset, (size_t)(info.st_size - offset));
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return diag_set(diag, ERR_SYSTEM, "screenshot: cannot write it: %s", strerror(errno));
    }
    return ERR_OK;
}

static void deliver_screenshot(struct process_one *self)
{
    struct diag diag = {0};
    if (self->screenshot_fd < 0) return;
    if (copy_screenshot(self->screenshot_fd, &diag) == ERR_OK) {
        tell_browser(self, BROWSER_SCREENSHOT);
    } else {
        log_line("no screenshot reason=%s", log_quote(diag.text));
    }
}

/* All processes are gone. That the last browser has ended is only news if nobody has asked for the next. */
static void all_gone(struct process_one *self)
{
    if (self->report.fd >= 0) hear_report(self);
    close_report(self);
    self->state = LAUNCHER_IDLE;
    if (self->next_handle >= 0) {
        start_browser(self, auto_keep_fd(&self->next_handle));
        return;
    }
    deliver_screenshot(self);
    tell_browser(self, BROWSER_ENDED);
}

/* ---- The loop ---------------------------------------------------------------------------------------------------- */

static void reap(struct process_one *self)
{
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof info) > 0) {
    }
    for (;;) {
        int status = 0;
        /* WUNTRACED: nobody at a kiosk continues a browser that was stopped. */
        pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);
        if (pid == 0) return;
        if (pid < 0) break;
        const bool is_ours = pid == self->browser || (pid == self->gateway && self->listener >= 0);
        if (!is_ours || self->state != LAUNCHER_RUNNING) continue;
        self->browser_status = (uint32_t)status;
        kill_all(self);
    }
    if (self->state == LAUNCHER_CLEARING) all_gone(self);
}

static void launch(struct process_one *self, int handle_fd)
{
    if (self->state == LAUNCHER_IDLE) {
        start_browser(self, handle_fd);
        return;
    }
    auto_close(&self->next_handle);
    self->next_handle = handle_fd;
    if (self->state == LAUNCHER_RUNNING) kill_all(self);
}

/* Of a browser that is about to be replaced, or has just ended, nobody takes it. */
static void renew(struct process_one *self, const struct msg *msg, const struct packet_extra *extra)
{
    if (self->state != LAUNCHER_RUNNING || self->supply.fd < 0) return;
    enum err err = link_send(&self->supply, msg, extra->fds, extra->num_fds);
    if (err == ERR_OK)
        tell_browser(self, BROWSER_SUPPLIED);
    else
        log_line("browser gets no new handle error=%s", err_name(err));
}

/* The end of process 1 is the end of all. */
static void hear_shim(struct process_one *self)
{
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = link_recv(&self->link, &msg, &extra, self->arena);
    if (err == ERR_AGAIN) return;
    if (err != ERR_OK || msg.kind == MSG_STOP) _exit(0);
    if (msg.kind == MSG_SHIM_LAUNCH) launch(self, packet_extra_take(&extra, 0));
    if (msg.kind == MSG_SHIM_RENEW) renew(self, &msg, &extra);
    if (msg.kind == MSG_PING) tell(self, &(struct msg){.kind = MSG_PONG, .id = msg.id}, NULL, 0);
    packet_extra_close(&extra);
}

static _Noreturn void serve(struct process_one *self)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = self->link.fd, .events = POLLIN},
            {.fd = self->signal_fd, .events = POLLIN},
            {.fd = self->report.fd, .events = POLLIN},
        };
        if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0 && errno != EINTR) _exit(EXIT_SYSTEM);
        if (fds[2].revents != 0) hear_report(self);
        if (fds[1].revents != 0) reap(self);
        if (fds[0].revents != 0) hear_shim(self);
    }
}

static _Noreturn void run(struct process_one *self, const struct launcher_task *task, uid_t uid, gid_t gid)
{
    /* Nothing outlives the shim, however it ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(task->broker_fd);
    struct diag diag = {0};
    AUTO_FD listener = -1;
    self->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    enum err err = self->arena != NULL ? prepare(self, &listener, task->module_fd, uid, gid, &diag)
                                       : diag_set(&diag, ERR_MEMORY, "browser's launcher: no memory");
    if (err != ERR_OK) fail(self, err, &diag);
    close(task->module_fd);
    tell(self, &(struct msg){.kind = MSG_SHIM_LISTENER}, &listener, 1);
    auto_close(&listener);
    listener = -1;
    tell(self, &(struct msg){.kind = MSG_READY}, NULL, 0);
    serve(self);
}

enum err launcher_start(struct launcher *out, const struct launcher_task *task, struct diag *diag)
{
    int ends[2];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0) {
        return diag_set(diag, ERR_INPUT,
                        "runs as root, which browsers refuse to; start broker as root, which "
                        "gives it a user of its own, or start it as an ordinary user");
    }
    enum err err = browser_check(task->setup->browser, diag);
    if (err != ERR_OK) return err;
    if (channel_pair(ends) != ERR_OK) return diag_set(diag, ERR_SYSTEM, "browser's launcher: %s", strerror(errno));
    pid_t pid = namespace_clone(&out->pidfd, task->setup);
    if (pid == 0) {
        struct process_one self = {
            .link = {.fd = ends[1], .role = LINK_BROKER_SHIM, .end = LINK_LOWER},
            .setup = *task->setup,
            .kind = browser_find(task->setup->browser),
            .screenshot_fd = task->screenshot_fd,
            .signal_fd = -1,
            .listener = -1,
            .report = {.fd = -1},
            .supply = {.fd = -1, .role = LINK_BROKER_SHIM, .end = LINK_UPPER},
            .next_handle = -1,
        };
        close(ends[0]);
        run(&self, task, uid, gid);
    }
    int error = errno;
    close(ends[1]);
    out->link = (struct link){.fd = ends[0], .role = LINK_BROKER_SHIM, .end = LINK_UPPER};
    if (pid > 0) return ERR_OK;
    close(ends[0]);
    return diag_set(diag, ERR_SYSTEM, "browser's launcher: cannot make its namespaces: %s; %s", strerror(error),
                    namespace_advice(error));
}
