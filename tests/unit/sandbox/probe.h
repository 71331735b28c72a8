/* What a taken-over process would try, each in its own child inside a sandbox, and what stopped it.
 *
 * A test of a policy is two calls:
 *
 *     static const struct probe_expectation mine[] = {{PROBE_FORK, PROBE_ALLOWED, 0}};
 *     cr_assert_eq(probe_surprises(&(struct probe_setup){.policy = &web_sandbox_policy}, mine, 1), 0);
 *
 * says that inside the policy a fork is allowed and everything else kills the process. */
#ifndef KEYWARD_TESTS_UNIT_SANDBOX_PROBE_H
#define KEYWARD_TESTS_UNIT_SANDBOX_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/sandbox.h"

enum probe_action {
    PROBE_OPEN,              /* openat, to read a file that everybody may read */
    PROBE_OPEN_LEGACY,       /* the same by the old call, open */
    PROBE_SOCKET,            /* a TCP socket */
    PROBE_SOCKET_UNIX,       /* an AF_UNIX socket */
    PROBE_CONNECT,           /* TCP to a live listener, on a socket that was there before */
    PROBE_BIND,              /* TCP, on a socket that was there before */
    PROBE_EXECVE,            /* a program that exists */
    PROBE_EXECVEAT,          /* the same, by a descriptor that was there before */
    PROBE_FORK,              /* the call fork */
    PROBE_CLONE,             /* clone with a fork's flags */
    PROBE_CLONE3,            /* clone3 with a fork's flags */
    PROBE_PTRACE,            /* attaches to a child of its own */
    PROBE_PROCESS_VM_READV,  /* reads a child's memory */
    PROBE_PROCESS_VM_WRITEV, /* writes it */
    PROBE_PIDFD_GETFD,       /* takes a child's descriptor, by a pidfd that was there before */
    PROBE_KILL,              /* kills a child */
    PROBE_TGKILL,            /* the same, by its thread */
    PROBE_MMAP_EXEC,         /* new executable memory */
    PROBE_MPROTECT_EXEC,     /* makes memory executable that was writable before */
    PROBE_MEMFD_CREATE,      /* a file without a name, to execute */
    PROBE_MOUNT,             /* a tmpfs */
    PROBE_UNSHARE,           /* a user namespace, with all capabilities in it */
    PROBE_SETUID,            /* sets its own uid again */
    PROBE_BPF,               /* the call bpf */
    PROBE_KEYCTL,            /* the kernel's keyrings */
    PROBE_IO_URING,          /* a queue whose operations no filter sees */
    PROBE_USERFAULTFD,       /* a helper of exploits */
    PROBE_PERF_EVENT_OPEN,   /* another */
    PROBE_CHROOT,
    PROBE_X32, /* a harmless call by the number of the x32 ABI */
    PROBE_NUM_ACTIONS
};

enum probe_result {
    PROBE_ALLOWED,     /* it worked */
    PROBE_ERRNO,       /* it failed, and the process lives: probe_report.error says how */
    PROBE_KILLED,      /* seccomp killed the process (SIGSYS) */
    PROBE_CRASHED,     /* the process ended in another way: probe_report.error is the signal, or 0 */
    PROBE_NOT_ENTERED, /* the sandbox could not be put on; probe_report.diag says why */
};

struct probe_setup {
    const struct sandbox_policy *policy; /* NULL: no sandbox, to see that an action works at all */
    const struct sandbox_dir *dirs;
    size_t num_dirs;
    const uint16_t *ports; /* to which it may connect */
    size_t num_ports;
    bool isolate; /* sandbox_isolate before sandbox_enter */
    uid_t user;   /* if not 0, become this user (and group) first; only root can */
};

struct probe_report {
    enum probe_result result;
    int error;
    long value; /* what an allowed action returned */
    struct diag diag;
};

struct probe_expectation {
    enum probe_action action;
    enum probe_result result;
    int error; /* for PROBE_ERRNO: which one; 0: any */
};

/* probe_run tries one action. */
struct probe_report probe_run(const struct probe_setup *setup, enum probe_action action);

/* probe_surprises tries all actions and returns how many ended otherwise than expected; those that are not listed are
 * expected to be PROBE_KILLED. It prints a line for each to standard error. */
size_t probe_surprises(const struct probe_setup *setup, const struct probe_expectation *expected, size_t num_expected);

/* probe_call runs code of the test's own: act returns -errno or a value that is not negative. It runs in a child inside
 * the sandbox, so it may use only what the policy allows. */
struct probe_report probe_call(const struct probe_setup *setup, long (*act)(void *context), void *context);

/* probe_action_name and probe_describe are for messages; the text is static. */
const char *probe_action_name(enum probe_action action);
const char *probe_describe(const struct probe_report *report);

/* probe_can_change_user says whether this process may become uid (root outside of a user namespace with one uid). */
bool probe_can_change_user(uid_t uid);

#endif
