#include "browser-shim/exec_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "browser-shim/pin.h"

/* What a person or a service manager says to a command. */
static const int passed_on[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGALRM, SIGCONT, SIGTSTP, SIGWINCH};

enum err exec_run_check(struct diag *diag)
{
    for (int fd = EXEC_HANDLE_FD; fd <= EXEC_NO_SUPPLY_FD; fd++) {
        if (fcntl(fd, F_GETFD) < 0) continue;
        return diag_set(diag, ERR_INPUT,
                        "descriptor %d is in use, where the command is to find its handle; run this with 3>&- 4>&-",
                        fd);
    }
    return ERR_OK;
}

/* ---- In the child ------------------------------------------------------------------------------------------------ */

struct failure {
    enum err err;
    struct diag diag;
};

/* Leaves the handle and /dev/null where the module looks. What is ours may be at these numbers, so it moves away first;
 * executing closes it. */
static bool place_descriptors(int handle_fd, int *report_fd)
{
    enum { ABOVE = 16 };
    const int report = fcntl(*report_fd, F_DUPFD_CLOEXEC, ABOVE), handle = fcntl(handle_fd, F_DUPFD_CLOEXEC, ABOVE);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (report < 0 || handle < 0 || null < 0) return false;
    *report_fd = report;
    const int supply = fcntl(null, F_DUPFD_CLOEXEC, ABOVE);
    return supply >= 0 && dup2(handle, EXEC_HANDLE_FD) >= 0 && dup2(supply, EXEC_NO_SUPPLY_FD) >= 0;
}

static _Noreturn void become_command(const struct exec_options *options, int handle_fd, int report_fd,
                                     const sigset_t *former)
{
    struct failure failure = {.err = ERR_SYSTEM};
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, former, NULL);
    if (!place_descriptors(handle_fd, &report_fd)) {
        failure.err = diag_set(&failure.diag, ERR_SYSTEM, "cannot arrange the descriptors: %s", strerror(errno));
    } else {
        failure.err =
            options->pin == EXEC_PIN_COMMAND ? pin_handle(EXEC_HANDLE_FD, options->command[0], &failure.diag) : ERR_OK;
    }
    if (failure.err == ERR_OK) {
        execvp(options->command[0], options->command);
        failure.err = diag_set(&failure.diag, ERR_INPUT, "'%s': cannot run it: %s; name a program in PATH",
                               options->command[0], strerror(errno));
    }
    (void)!write(report_fd, &failure, sizeof failure);
    _exit(EXIT_SYSTEM);
}

/* ---- In the parent ----------------------------------------------------------------------------------------------- */

static void watched_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGCHLD);
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) sigaddset(out, passed_on[i]);
}

/* The execution closes the report; what comes on it is why there was none. */
static enum err hear_report(int fd, pid_t pid, struct diag *diag)
{
    struct failure failure;
    ssize_t len;
    do {
        len = read(fd, &failure, sizeof failure);
    } while (len < 0 && errno == EINTR);
    if (len == 0) return ERR_OK;
    (void)waitpid(pid, NULL, 0);
    if (len != (ssize_t)sizeof failure) return diag_set(diag, ERR_SYSTEM, "the command's process was cut off");
    *diag = failure.diag;
    return failure.err;
}

enum err exec_run_start(struct exec_process *out, const struct exec_options *options, int handle_fd, struct diag *diag)
{
    int ends[2];
    sigset_t watched;
    *out = (struct exec_process){0};
    watched_signals(&watched);
    /* Whoever started us may have ignored it: then nobody would learn how the command ends. */
    (void)signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &watched, &out->former) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return diag_set(diag, ERR_SYSTEM, "cannot start a process: %s", strerror(errno));
    }
    AUTO_FD report = ends[0];
    out->pid = fork();
    if (out->pid == 0) become_command(options, handle_fd, ends[1], &out->former);
    close(ends[1]);
    if (out->pid < 0) return diag_set(diag, ERR_SYSTEM, "cannot start a process: %s", strerror(errno));
    return hear_report(report, out->pid, diag);
}

/* True: the command has ended. A command that stopped stops us too, for whoever looks after us to see. */
static bool take_change(pid_t pid, int *out_status)
{
    for (;;) {
        const pid_t changed = waitpid(pid, out_status, WNOHANG | WUNTRACED);
        if (changed != pid) return false;
        if (!WIFSTOPPED(*out_status)) return true;
        (void)raise(SIGSTOP);
    }
}

/* A key on the terminal was meant for the command as much as for us, and has reached it already. */
static void pass_on(pid_t pid, const siginfo_t *info)
{
    if (info->si_code != SI_KERNEL) (void)kill(pid, info->si_signo);
}

int exec_run_wait(const struct exec_process *process, const struct exec_options *options,
                  void (*expired)(const void *context), const void *context)
{
    sigset_t watched;
    watched_signals(&watched);
    const uint64_t end_ms = clock_monotonic_ms() + UINT64_C(1000) * options->lifetime_s;
    bool is_over = false;
    for (int status = 0;;) {
        const uint64_t now_ms = clock_monotonic_ms(), left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
        if (left_ms == 0 && !is_over) {
            is_over = true;
            expired(context);
        }
        const struct timespec left = {.tv_sec = (time_t)(left_ms / 1000), .tv_nsec = (long)(left_ms % 1000) * 1000000};
        siginfo_t info;
        const int number = sigtimedwait(&watched, &info, is_over ? NULL : &left);
        if (number == SIGCHLD && take_change(process->pid, &status)) return status;
        if (number > 0 && number != SIGCHLD) pass_on(process->pid, &info);
    }
}

_Noreturn void exec_run_end(const struct exec_process *process, int status)
{
    if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
    sigset_t own;
    const int number = WTERMSIG(status);
    (void)prctl(PR_SET_DUMPABLE, 0); /* a core is the command's */
    (void)signal(number, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &process->former, NULL);
    sigemptyset(&own);
    sigaddset(&own, number);
    (void)sigprocmask(SIG_UNBLOCK, &own, NULL);
    (void)raise(number);
    _exit(128 + number); /* as a shell says it */
}
