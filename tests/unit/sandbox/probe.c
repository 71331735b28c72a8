#include "tests/unit/sandbox/probe.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/unit/sandbox/probe_action.h"

#define PROBE_PATIENCE_S 20

static const char *const action_names[PROBE_NUM_ACTIONS] = {
    [PROBE_OPEN] = "openat",
    [PROBE_OPEN_LEGACY] = "open",
    [PROBE_SOCKET] = "socket(AF_INET)",
    [PROBE_SOCKET_UNIX] = "socket(AF_UNIX)",
    [PROBE_CONNECT] = "connect",
    [PROBE_BIND] = "bind",
    [PROBE_EXECVE] = "execve",
    [PROBE_EXECVEAT] = "execveat",
    [PROBE_FORK] = "fork",
    [PROBE_CLONE] = "clone",
    [PROBE_CLONE3] = "clone3",
    [PROBE_PTRACE] = "ptrace",
    [PROBE_PROCESS_VM_READV] = "process_vm_readv",
    [PROBE_PROCESS_VM_WRITEV] = "process_vm_writev",
    [PROBE_PIDFD_GETFD] = "pidfd_getfd",
    [PROBE_KILL] = "kill",
    [PROBE_TGKILL] = "tgkill",
    [PROBE_MMAP_EXEC] = "mmap(PROT_EXEC)",
    [PROBE_MPROTECT_EXEC] = "mprotect(PROT_EXEC)",
    [PROBE_MEMFD_CREATE] = "memfd_create",
    [PROBE_MOUNT] = "mount",
    [PROBE_UNSHARE] = "unshare",
    [PROBE_SETUID] = "setuid",
    [PROBE_BPF] = "bpf",
    [PROBE_KEYCTL] = "keyctl",
    [PROBE_IO_URING] = "io_uring_setup",
    [PROBE_USERFAULTFD] = "userfaultfd",
    [PROBE_PERF_EVENT_OPEN] = "perf_event_open",
    [PROBE_CHROOT] = "chroot",
    [PROBE_X32] = "getpid by the x32 ABI",
};

const char *probe_action_name(enum probe_action action)
{
    return action < PROBE_NUM_ACTIONS ? action_names[action] : "?";
}

const char *probe_describe(const struct probe_report *report)
{
    static char text[1200];
    switch (report->result) {
    case PROBE_ALLOWED: return "allowed";
    case PROBE_KILLED: return "killed by seccomp";
    case PROBE_ERRNO: snprintf(text, sizeof(text), "refused: %s", strerror(report->error)); break;
    case PROBE_CRASHED: snprintf(text, sizeof(text), "ended by signal %d", report->error); break;
    case PROBE_NOT_ENTERED: snprintf(text, sizeof(text), "sandbox not entered: %s", report->diag.text); break;
    }
    return text;
}

static bool become_user(uid_t user)
{
    return setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0 &&
           prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; /* as it is after a program has been started */
}

static enum err enter(const struct probe_setup *setup, struct diag *diag)
{
    if (setup->policy == NULL) return ERR_OK;
    enum err err = setup->isolate ? sandbox_isolate(setup->policy, diag) : ERR_OK;
    if (err != ERR_OK) return err;
    return sandbox_enter_connecting(setup->policy, setup->dirs, setup->num_dirs, setup->ports, setup->num_ports, diag);
}

/* What the child does first: make its scene, before the sandbox but as the user that it becomes. */
struct probe_job {
    const struct probe_setup *setup;
    enum probe_action action; /* or PROBE_NUM_ACTIONS: act is the test's own */
    long (*act)(void *context);
    void *context;
};

/* Where nothing refuses the mount it succeeds, so it must happen where only the child sees it. Who may not make a mount
 * namespace (EPERM) may not mount either. */
static bool leave_machines_mounts(void)
{
    if (unshare(CLONE_NEWNS) != 0) return errno == EPERM;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

_Noreturn static void child_run(const struct probe_job *job, struct probe_report *report)
{
    struct probe_scene scene;
    void *context = job->context;
    alarm(PROBE_PATIENCE_S);
    report->result = PROBE_NOT_ENTERED;
    if (!leave_machines_mounts()) {
        diag_set(&report->diag, ERR_SYSTEM, "cannot leave the machine's mount namespace: %s", strerror(errno));
        _exit(0);
    }
    if (job->setup->user != 0 && !become_user(job->setup->user)) {
        diag_set(&report->diag, ERR_SYSTEM, "cannot become uid %u: %s", job->setup->user, strerror(errno));
        _exit(0);
    }
    if (job->action != PROBE_NUM_ACTIONS) {
        if (probe_scene_open(&scene, job->action) != ERR_OK) {
            diag_set(&report->diag, ERR_SYSTEM, "cannot make the scene: %s", strerror(errno));
            _exit(0);
        }
        context = &scene;
    }
    if (enter(job->setup, &report->diag) != ERR_OK) _exit(0);
    report->result = PROBE_ALLOWED;
    const long value = job->act(context);
    report->value = value;
    if (value < 0) report->result = PROBE_ERRNO;
    if (value < 0) report->error = (int)-value;
    syscall(SYS_exit_group, 0);
    __builtin_trap();
}

static struct probe_report probe_do(const struct probe_job *job)
{
    /* The child reports through memory: it may have no call left to write with. */
    struct probe_report *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) child_run(job, shared);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);

    struct probe_report report = *shared;
    munmap(shared, sizeof(*shared));
    if (WIFSIGNALED(status)) {
        report.result = WTERMSIG(status) == SIGSYS ? PROBE_KILLED : PROBE_CRASHED;
        report.error = WTERMSIG(status);
    } else if (WEXITSTATUS(status) != 0) {
        report.result = PROBE_CRASHED;
        report.error = 0;
    }
    return report;
}

struct probe_report probe_call(const struct probe_setup *setup, long (*act)(void *context), void *context)
{
    return probe_do(&(struct probe_job){.setup = setup, .action = PROBE_NUM_ACTIONS, .act = act, .context = context});
}

struct probe_report probe_run(const struct probe_setup *setup, enum probe_action action)
{
    return probe_do(&(struct probe_job){.setup = setup, .action = action, .act = probe_scene_act});
}

static struct probe_expectation usual(enum probe_action action)
{
#ifdef SANITIZER
    /* A row of base/sandbox_sanitizer.c. */
    if (action == PROBE_OPEN_LEGACY) return (struct probe_expectation){action, PROBE_ERRNO, ENOSYS};
#endif
    return (struct probe_expectation){.action = action, .result = PROBE_KILLED};
}

size_t probe_surprises(const struct probe_setup *setup, const struct probe_expectation *expected, size_t num_expected)
{
    size_t surprises = 0;
    const char *process = setup->policy == NULL ? "no sandbox" : setup->policy->process;
    for (enum probe_action action = 0; action < PROBE_NUM_ACTIONS; action++) {
        struct probe_expectation want = usual(action);
        for (size_t i = 0; i < num_expected; i++) {
            if (expected[i].action == action) want = expected[i];
        }
        const struct probe_report got = probe_run(setup, action);
        const bool as_wanted =
            got.result == want.result && (want.result != PROBE_ERRNO || want.error == 0 || want.error == got.error);
        if (!as_wanted) surprises++;
        fprintf(stderr, "%s: %s: %s%s\n", process, probe_action_name(action), probe_describe(&got),
                as_wanted ? "" : " (SURPRISE)");
    }
    return surprises;
}

bool probe_can_change_user(uid_t uid)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(become_user(uid) ? 0 : 1);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
