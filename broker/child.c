#include "broker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* Above everything that is moved into place. */
#define HIGH_FD 16

static _Noreturn void give_up(const struct child_plan *plan, const char *what)
{
    log_error("cannot start %s: %s: %s", plan->name, what, strerror(errno));
    _exit(EXIT_SYSTEM);
}

static void reset_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) (void)signal(number, SIG_DFL);
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The death signal comes after the change of user, which forgets it; and then it is looked whether the parent is
 * still there, because it may have died before. */
static void die_with_parent(const struct child_plan *plan)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(plan, "PR_SET_PDEATHSIG");
    if (getppid() != plan->parent) _exit(EXIT_SYSTEM);
}

static void place_descriptors(const struct child_plan *plan)
{
    int channel = fcntl(plan->channel, F_DUPFD_CLOEXEC, HIGH_FD);
    int program = fcntl(plan->program, F_DUPFD_CLOEXEC, HIGH_FD);
    int null = fcntl(plan->null, F_DUPFD_CLOEXEC, HIGH_FD);
    if (channel < 0 || program < 0 || null < 0) give_up(plan, "descriptors");
    if (dup2(null, STDIN_FILENO) < 0 || dup2(channel, CHILD_CHANNEL_FD) < 0 ||
        dup3(program, CHILD_CHANNEL_FD + 1, O_CLOEXEC) < 0) {
        give_up(plan, "descriptors");
    }
    if (close_range(CHILD_CHANNEL_FD + 2, ~0u, 0) != 0) give_up(plan, "close_range");
}

_Noreturn void child_become(const struct child_plan *plan)
{
    char name[32];
    char *const no_environment[] = {NULL};
    char *const arguments[] = {name, NULL};
    strncpy(name, plan->name, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    (void)umask(077);
    if (setsid() < 0) give_up(plan, "setsid");
    if (chdir("/") != 0) give_up(plan, "chdir /");
    if (user_become(plan->user) != ERR_OK) give_up(plan, plan->user->name);
    place_descriptors(plan);
    reset_signals();
    die_with_parent(plan);
    syscall(SYS_execveat, CHILD_CHANNEL_FD + 1, "", arguments, no_environment, AT_EMPTY_PATH);
    give_up(plan, "execveat");
}
