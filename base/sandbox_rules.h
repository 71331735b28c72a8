/* How the rows of a sandbox_policy.c are written, and the rows that every process has. A policy is one table:
 *
 *     static const struct sandbox_rule rules[] = {
 *         SANDBOX_RULES_RUN,
 *         SANDBOX_RULES_MEMORY,
 *         SANDBOX_RULES_LOG,
 *         SANDBOX_RULES_CHANNEL,
 *         SANDBOX_RULES_LOOP,
 *         SANDBOX_ROW(accept4, "takes connections from the listeners that the broker handed over"),
 *         SANDBOX_ROW_IF(fcntl, "asks for a descriptor's flags", SANDBOX_IS(1, F_GETFL)),
 *     };
 *
 * Rows of one call are alternatives, conditions of one row must all hold. A row without conditions has to be its call's
 * only row, so a policy does not repeat what a set below has. Argument numbers start at 0. */
#ifndef KEYWARD_BASE_SANDBOX_RULES_H
#define KEYWARD_BASE_SANDBOX_RULES_H

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox.h"

#define SANDBOX_ROW(call, why)                                           \
    {                                                                    \
        .syscall = SYS_##call, .verdict = SANDBOX_ALLOW, .reason = (why) \
    }

#define SANDBOX_ROW_IF(call, why, ...)                                                            \
    {                                                                                             \
        .syscall = SYS_##call, .verdict = SANDBOX_ALLOW, .reason = (why), .args = { __VA_ARGS__ } \
    }

/* The call is said not to exist, or not to be permitted. */
#define SANDBOX_ROW_ENOSYS(call, why)                                     \
    {                                                                     \
        .syscall = SYS_##call, .verdict = SANDBOX_ENOSYS, .reason = (why) \
    }

#define SANDBOX_ROW_EPERM(call, why)                                     \
    {                                                                    \
        .syscall = SYS_##call, .verdict = SANDBOX_EPERM, .reason = (why) \
    }

#define SANDBOX_ROW_EPERM_IF(call, why, ...)                                                      \
    {                                                                                             \
        .syscall = SYS_##call, .verdict = SANDBOX_EPERM, .reason = (why), .args = { __VA_ARGS__ } \
    }

/* Conditions. The kernel compares all 64 bits: write an int that may be negative through SANDBOX_IS_INT, which looks at
 * its 32 bits only. */
#define SANDBOX_IS(number, wanted) [number] = {.test = SANDBOX_EQUAL, .value = (uint64_t)(wanted)}
#define SANDBOX_IS_INT(number, wanted) \
    [number] = {.test = SANDBOX_MASKED_EQUAL, .mask = 0xffffffff, .value = (uint32_t)(wanted)}
#define SANDBOX_MASKED(number, bits, wanted) \
    [number] = {.test = SANDBOX_MASKED_EQUAL, .mask = (uint64_t)(bits), .value = (uint64_t)(wanted)}
#define SANDBOX_WITHOUT(number, bits) SANDBOX_MASKED(number, bits, 0)

/* clang-format off */

/* Running, waiting for nothing but time, and ending. */
#define SANDBOX_RULES_RUN \
    SANDBOX_ROW(exit_group, "ends the process"), \
    SANDBOX_ROW(exit, "ends a thread"), \
    SANDBOX_ROW(rt_sigreturn, "comes back from a signal handler"), \
    SANDBOX_ROW(restart_syscall, "the kernel goes on with a wait that a signal interrupted"), \
    SANDBOX_ROW(futex, "locks and once-flags of libc and BoringSSL"), \
    SANDBOX_ROW(clock_gettime, "deadlines, where the vDSO cannot tell the time"), \
    SANDBOX_ROW(gettimeofday, "certificate validity, where the vDSO cannot tell the time"), \
    SANDBOX_ROW(time, "certificate validity, where the vDSO cannot tell the time"), \
    SANDBOX_ROW(getrandom, "keys, nonces and ids"), \
    SANDBOX_ROW(sysinfo, "libc's qsort sizes its scratch space by it; tells totals only"), \
    SANDBOX_ROW_ENOSYS(clone3, "libc goes on with clone, whose flags a filter can read and most policies lack"), \
    SANDBOX_ROW_ENOSYS(rseq, "libc tries it in a new thread and runs without"), \
    SANDBOX_ROW_ENOSYS(set_robust_list, "libc tries it in a new thread and runs without")

/* Memory that is never executable. Every call acts on the process's own memory only. */
#define SANDBOX_RULES_MEMORY \
    SANDBOX_ROW_IF(mmap, "memory, never executable", SANDBOX_WITHOUT(2, PROT_EXEC)), \
    SANDBOX_ROW_IF(mprotect, "guard pages and a growing heap, never executable", SANDBOX_WITHOUT(2, PROT_EXEC)), \
    SANDBOX_ROW(munmap, "gives memory back"), \
    SANDBOX_ROW(mremap, "realloc of a large block; keeps the protection it has"), \
    SANDBOX_ROW(madvise, "free gives pages back; BoringSSL marks pages to be wiped in a fork"), \
    SANDBOX_ROW(brk, "malloc's heap")

/* Log lines (base/log.h) and failed checks. Standard error and nothing else is written with write. */
#define SANDBOX_RULES_LOG \
    SANDBOX_ROW_IF(write, "log lines on standard error", SANDBOX_IS(0, STDERR_FILENO)), \
    SANDBOX_ROW(poll, "asks whether standard error has room, so that a full pipe does not block")

/* Packets on channels that the process already has (base/channel.h). Neither call can make one. */
#define SANDBOX_RULES_CHANNEL \
    SANDBOX_ROW(sendmsg, "sends packets"), \
    SANDBOX_ROW(recvmsg, "receives packets"), \
    SANDBOX_ROW(close, "closes channels and the descriptors that came with a packet")

/* An event loop whose epoll descriptor exists already. */
#define SANDBOX_RULES_LOOP \
    SANDBOX_ROW(epoll_wait, "waits for events"), \
    SANDBOX_ROW(epoll_pwait, "waits for events"), \
    SANDBOX_ROW(epoll_ctl, "says which descriptors it waits for")

/* clang-format on */

#endif
