#include "broker/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "broker/command.h"
#include "broker/resources.h"
#include "broker/sandbox_policy.h"
#include "proto/link.h"

enum { CHANNEL = 3 };

static const struct link broker = {.fd = CHANNEL, .role = LINK_BROKER_SPAWNER, .end = LINK_LOWER};

/* Waits for the broker if it is behind. */
static enum err say(const struct msg *msg, const int *fds, size_t num_fds)
{
    enum err err = link_send(&broker, msg, fds, num_fds);
    struct pollfd room = {.fd = CHANNEL, .events = POLLOUT};
    if (err != ERR_AGAIN) return err;
    return poll(&room, 1, DEADLINE_RELOAD_MS) == 1 ? link_send(&broker, msg, fds, num_fds) : ERR_CLOSED;
}

/* opener.opened */
static enum err show(void *context, const char *path, int fd)
{
    (void)context;
    const struct msg msg = {.kind = MSG_LOADED, .loaded = {(const uint8_t *)path, strlen(path)}};
    return say(&msg, &fd, 1);
}

static enum err load(const struct loader_plan *plan, struct diag *diag)
{
    static struct command command;
    static struct resources resources;
    struct opener opener = {.opened = show};
    enum err err = command_parse(&command, &opener, plan->argc, plan->argv, diag);
    if (err != ERR_OK) return err;
    resources.users[PROGRAM_WEB] = *plan->web;
    return resources_open_content(&resources, &command.config, &opener, diag);
}

/* It is not known beforehand where the files are. */
static enum err enter_sandbox(struct diag *diag)
{
    AUTO_FD root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct sandbox_dir dir = {.fd = root, .access = SANDBOX_READ};
    if (root < 0) return diag_set(diag, ERR_SYSTEM, "loader: '/': %s", strerror(errno));
    return sandbox_enter(&loader_policy, &dir, 1, diag);
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void loader_run(int channel, const struct loader_plan *plan)
{
    struct diag diag = {0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, "loader");
    log_open("loader");
    reset_signals();
    if (channel != CHANNEL && dup2(channel, CHANNEL) < 0) _exit(EXIT_SYSTEM);
    (void)close_range(CHANNEL + 1, ~0u, 0);
    (void)alarm(DEADLINE_RELOAD_MS / 1000); /* a file system that does not answer must not keep it for good */
    enum err err = enter_sandbox(&diag);
    if (err == ERR_OK) err = load(plan, &diag);
    const struct msg ready = {.kind = MSG_READY};
    const struct msg failed = {.kind = MSG_FAILED, .failed = {.text = diag.text, .error = (uint32_t)err}};
    enum err said = say(err == ERR_OK ? &ready : &failed, NULL, 0);
    _exit(said == ERR_OK ? 0 : EXIT_SYSTEM);
}
