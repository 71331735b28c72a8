/* The sandbox that every process puts on: namespaces, Landlock, no_new_privs, non-dumpable, no core, W^X and a seccomp
 * filter. What a process may do is one const table in its own sandbox_policy.c; this file only puts it on.
 *
 * Fail closed: whatever cannot be put on is an error with what to do about it, and the caller exits. There is no switch
 * that weakens it. */
#ifndef KEYWARD_BASE_SANDBOX_H
#define KEYWARD_BASE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The oldest Landlock that is enough: Debian 12's kernel, 6.1, has ABI 2. Newer rights are used where the kernel has
 * them: 3 (6.2) truncation, 4 (6.7) TCP, 5 (6.10) device ioctls, 6 (6.12) signals and abstract sockets. */
#define SANDBOX_LANDLOCK_MIN_ABI 2

enum sandbox_verdict {
    SANDBOX_ALLOW,
    SANDBOX_ENOSYS, /* libc only probes for it and has another way */
    SANDBOX_EPERM,  /* a library tries it and lives without */
};

enum sandbox_test {
    SANDBOX_ANY = 0,     /* no condition on this argument */
    SANDBOX_EQUAL,       /* argument == value */
    SANDBOX_MASKED_EQUAL /* (argument & mask) == value */
};

/* A condition on one argument of the call. */
struct sandbox_arg {
    enum sandbox_test test;
    uint64_t value;
    uint64_t mask;
};

#define SANDBOX_ARGS 6

/* One row: a call, what becomes of it, and why. All conditions of a row must hold (two rows of one condition each
 * would be alternatives). */
struct sandbox_rule {
    int syscall;
    enum sandbox_verdict verdict;
    const char *reason;
    struct sandbox_arg args[SANDBOX_ARGS];
};

/* A process that starts a foreign program hands its filter, Landlock and W^X on to it. Such a process gets
 * SANDBOX_ALLOW_OTHERS: the rows are what is refused, and of the rest only what a foreign program can live with is put
 * on: no_new_privs, non-dumpable, no core. */
enum sandbox_default {
    SANDBOX_KILL_OTHERS,  /* every other call kills the process; all of the sandbox */
    SANDBOX_ALLOW_OTHERS, /* neither Landlock nor PR_SET_MDWE; capabilities are not touched */
};

/* What the process is cut off from, a set. Each needs an unprivileged user namespace, which is made with it. */
enum sandbox_namespace {
    SANDBOX_NS_NETWORK = 1,
    SANDBOX_NS_MOUNT = 2, /* an empty, read-only root; descriptors that are already open keep working */
    SANDBOX_NS_IPC = 4,
    SANDBOX_NS_UTS = 8,
    SANDBOX_NS_CGROUP = 16,
};

/* What Landlock would take and the process needs, a set. */
enum sandbox_keep {
    SANDBOX_KEEP_TCP_CONNECT = 1, /* otherwise TCP connections out are refused (kernels from 6.7) */
    SANDBOX_KEEP_SIGNAL = 2,      /* otherwise signals to others are refused (kernels from 6.12) */
};

struct sandbox_policy {
    const char *process;
    unsigned namespaces; /* enum sandbox_namespace, or'ed */
    enum sandbox_default others;
    const struct sandbox_rule *rules;
    size_t num_rules;
    unsigned keeps;        /* enum sandbox_keep, or'ed */
    uint64_t capabilities; /* 1 << CAP_...: those that it keeps if it has them, of the first 32; all others go */
};

enum sandbox_access { SANDBOX_READ, SANDBOX_READ_WRITE };

/* A directory that stays reachable under Landlock, by a descriptor that the process was given. Without any, Landlock
 * leaves nothing of the file system. */
struct sandbox_dir {
    int fd;
    enum sandbox_access access;
};

/* sandbox_isolate makes the policy's namespaces and gives up every capability that it does not keep, from every set. The process must have
 * one thread. Do it before sandbox_enter, and load whatever needs a path before. ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err sandbox_isolate(const struct sandbox_policy *policy, struct diag *diag);

/* sandbox_enter puts on the rest, the filter last, on every thread there is (SECCOMP_FILTER_FLAG_TSYNC). Landlock
 * binds the calling thread and those it starts. Rows of one call that have conditions are alternatives; a row without
 * conditions has to be that call's only row, anything else is an error. */
MUST_CHECK enum err sandbox_enter(const struct sandbox_policy *policy, const struct sandbox_dir *dirs, size_t num_dirs,
                                  struct diag *diag);

/* sandbox_enter_connecting is sandbox_enter for a process that connects to these TCP ports, and under Landlock (kernels from
 * 6.7) to no other. */
MUST_CHECK enum err sandbox_enter_connecting(const struct sandbox_policy *policy, const struct sandbox_dir *dirs,
                                             size_t num_dirs, const uint16_t *ports, size_t num_ports,
                                             struct diag *diag);

/* sandbox_landlock_abi returns what the running kernel has, 0 if it has no Landlock. */
int sandbox_landlock_abi(void);

#endif
