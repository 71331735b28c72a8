/* The filter and what goes with it: what is refused, by what, and that the rest goes on. */
#include "base/sandbox.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/channel.h"
#include "base/sandbox_rules.h"
#include "tests/unit/sandbox/probe.h"
#include "tests/unit/skip.h"

#define ORDINARY_USER 1000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BASE_ROWS SANDBOX_RULES_RUN, SANDBOX_RULES_MEMORY, SANDBOX_RULES_LOG, SANDBOX_RULES_CHANNEL, SANDBOX_RULES_LOOP

static const struct sandbox_rule base_rules[] = {BASE_ROWS};
static const struct sandbox_policy base_policy = {
    .process = "base", .rules = base_rules, .num_rules = COUNT(base_rules)};

/* Fills users with 0 (stay who we are) and, where possible, an ordinary user; returns how many. */
static size_t test_users(uid_t users[2])
{
    users[0] = 0;
    users[1] = ORDINARY_USER;
    const bool both = getuid() == 0 && probe_can_change_user(ORDINARY_USER);
    fprintf(stderr, "as uid %u%s\n", getuid(), both ? " and as uid 1000" : " only: cannot become uid 1000 here");
    return both ? 2 : 1;
}

static struct probe_report call_with(const struct sandbox_rule *rules, size_t num_rules, long (*act)(void *),
                                     void *context)
{
    const struct sandbox_policy policy = {.process = "test", .rules = rules, .num_rules = num_rules};
    return probe_call(&(struct probe_setup){.policy = &policy}, act, context);
}

/* Without a sandbox: the probes work, so a refusal below is the sandbox's. What root alone may do or a kernel may lack
 * is only not allowed to crash. */
Test(sandbox, probes_work_outside)
{
    static const enum probe_action ordinary[] = {
        PROBE_OPEN,
        PROBE_OPEN_LEGACY,
        PROBE_SOCKET,
        PROBE_SOCKET_UNIX,
        PROBE_CONNECT,
        PROBE_BIND,
        PROBE_EXECVE,
        PROBE_EXECVEAT,
        PROBE_FORK,
        PROBE_CLONE,
        PROBE_CLONE3,
        PROBE_PTRACE,
        PROBE_PROCESS_VM_READV,
        PROBE_KILL,
        PROBE_TGKILL,
        PROBE_MMAP_EXEC,
        PROBE_MPROTECT_EXEC,
        PROBE_PROCESS_VM_WRITEV,
        PROBE_MEMFD_CREATE,
        PROBE_UNSHARE,
        PROBE_SETUID,
        PROBE_PIDFD_GETFD,
    };
    const struct probe_setup setup = {0};
    for (size_t i = 0; i < COUNT(ordinary); i++) {
        const struct probe_report report = probe_run(&setup, ordinary[i]);
        cr_expect_eq(report.result, PROBE_ALLOWED, "%s: %s", probe_action_name(ordinary[i]), probe_describe(&report));
    }
    for (enum probe_action action = 0; action < PROBE_NUM_ACTIONS; action++) {
        const struct probe_report report = probe_run(&setup, action);
        cr_expect(report.result == PROBE_ALLOWED || report.result == PROBE_ERRNO, "%s: %s", probe_action_name(action),
                  probe_describe(&report));
    }
}

Test(sandbox, kills_what_is_not_listed)
{
    static const struct probe_expectation expected[] = {{PROBE_CLONE3, PROBE_ERRNO, ENOSYS}};
    uid_t users[2];
    const size_t num = test_users(users);
    for (size_t i = 0; i < num; i++) {
        const struct probe_setup setup = {.policy = &base_policy, .user = users[i]};
        cr_expect_eq(probe_surprises(&setup, expected, COUNT(expected)), 0);
    }
}

Test(sandbox, kills_the_same_when_isolated)
{
    static const struct probe_expectation expected[] = {{PROBE_CLONE3, PROBE_ERRNO, ENOSYS}};
    struct sandbox_policy policy = base_policy;
    policy.namespaces = SANDBOX_NS_NETWORK | SANDBOX_NS_MOUNT | SANDBOX_NS_IPC | SANDBOX_NS_UTS | SANDBOX_NS_CGROUP;
    uid_t users[2];
    const size_t num = test_users(users);
    for (size_t i = 0; i < num; i++) {
        const struct probe_setup setup = {.policy = &policy, .isolate = true, .user = users[i]};
        cr_expect_eq(probe_surprises(&setup, expected, COUNT(expected)), 0);
    }
}

/* Memory, time, random bytes and channels go on working. */
static long use_what_is_allowed(void *context)
{
    const int *ends = context;
    struct packet_extra extra;
    uint8_t buf[8];
    size_t len = 0;
    struct timespec now;
    char *big = malloc(8u << 20);
    if (big == NULL || (big = realloc(big, 64u << 20)) == NULL) return -ENOMEM;
    memset(big, 1, 64u << 20);
    free(big);
    if (syscall(SYS_getrandom, buf, sizeof(buf), 0) != sizeof(buf)) return -EIO;
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0) return -EIO;
    if (channel_send(ends[0], buf, sizeof(buf), &ends[1], 1) != ERR_OK) return -EPIPE;
    if (channel_recv(ends[1], buf, &len, &extra, sizeof(buf), 1) != ERR_OK || len != 8 || extra.num_fds != 1)
        return -EIO;
    packet_extra_close(&extra);
    return write(STDERR_FILENO, "inside\n", 7) == 7 ? 0 : -EIO;
}

Test(sandbox, allows_what_is_listed)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const struct probe_report report =
        probe_call(&(struct probe_setup){.policy = &base_policy}, use_what_is_allowed, ends);
    cr_assert_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
}

static long write_elsewhere(void *context)
{
    (void)context;
    return syscall(SYS_write, STDOUT_FILENO, "x", 1);
}

Test(sandbox, writes_to_standard_error_only)
{
    const struct probe_report report = probe_call(&(struct probe_setup){.policy = &base_policy}, write_elsewhere, NULL);
    cr_assert_eq(report.result, PROBE_KILLED, "%s", probe_describe(&report));
}

/* One call whose arguments are given: a row's conditions are tried with it. */
struct raw_call {
    long number;
    unsigned long args[3];
};

static long act_raw(void *context)
{
    const struct raw_call *call = context;
    const long result = syscall(call->number, call->args[0], call->args[1], call->args[2]);
    return result == -1 ? -errno : 0;
}

Test(sandbox, refuses_executable_memory_with_high_bits_set)
{
    struct raw_call call = {SYS_mprotect, {0, 4096, (1ul << 40) | PROT_EXEC}};
    const struct probe_report report = probe_call(&(struct probe_setup){.policy = &base_policy}, act_raw, &call);
    cr_assert_eq(report.result, PROBE_KILLED, "%s", probe_describe(&report));
}

/* dup3 because it is harmless and takes three arguments. */
static enum probe_result dup3_result(unsigned long from, unsigned long to, unsigned long flags)
{
    static const struct sandbox_rule rules[] = {
        BASE_ROWS,
        SANDBOX_ROW_IF(dup3, "two conditions", SANDBOX_IS(0, 2), SANDBOX_MASKED(2, 0xff000000, 0)),
        SANDBOX_ROW_IF(dup3, "another row", SANDBOX_IS(0, 1), SANDBOX_IS(1, 77)),
        SANDBOX_ROW_IF(dup3, "an int", SANDBOX_IS_INT(0, -1)),
    };
    struct raw_call call = {SYS_dup3, {from, to, flags}};
    return call_with(rules, COUNT(rules), act_raw, &call).result;
}

Test(sandbox, all_conditions_of_a_row_hold)
{
    cr_expect_eq(dup3_result(2, 50, O_CLOEXEC), PROBE_ALLOWED);
    cr_expect_eq(dup3_result(2, 50, 0x01000000 | O_CLOEXEC), PROBE_KILLED, "the second condition counts");
    cr_expect_eq(dup3_result(3, 50, O_CLOEXEC), PROBE_KILLED, "the first condition counts");
    cr_expect_eq(dup3_result(2 | 1ul << 32, 50, O_CLOEXEC), PROBE_KILLED, "all 64 bits count");
}

Test(sandbox, rows_of_one_call_are_alternatives)
{
    cr_expect_eq(dup3_result(1, 77, 0), PROBE_ALLOWED);
    cr_expect_eq(dup3_result(1, 78, 0), PROBE_KILLED);
    cr_expect_eq(dup3_result((unsigned)-1, 78, 0), PROBE_ERRNO, "reaches the kernel: EBADF");
    cr_expect_eq(dup3_result((unsigned long)-1, 78, 0), PROBE_ERRNO);
}

Test(sandbox, verdicts_are_errors_the_process_sees)
{
    static const struct sandbox_rule rules[] = {
        BASE_ROWS,
        SANDBOX_ROW_ENOSYS(statx, "a probe"),
        SANDBOX_ROW_EPERM(prctl, "a try"),
    };
    struct raw_call call = {SYS_statx, {0, 0, 0}};
    cr_expect_eq(call_with(rules, COUNT(rules), act_raw, &call).error, ENOSYS);
    call.number = SYS_prctl;
    cr_expect_eq(call_with(rules, COUNT(rules), act_raw, &call).error, EPERM);
}

/* libseccomp would let the row without conditions swallow the other. */
Test(sandbox, refuses_a_table_that_contradicts_itself)
{
    static const struct sandbox_rule rules[] = {
        BASE_ROWS,
        SANDBOX_ROW_IF(dup3, "some", SANDBOX_IS(0, 2)),
        SANDBOX_ROW_EPERM(dup3, "all"),
    };
    struct raw_call call = {SYS_dup3, {2, 50, 0}};
    const struct probe_report report = call_with(rules, COUNT(rules), act_raw, &call);
    cr_assert_eq(report.result, PROBE_NOT_ENTERED, "%s", probe_describe(&report));
    cr_assert_not_null(strstr(report.diag.text, "has a row for everything (all)"), "%s", report.diag.text);
}

Test(sandbox, a_process_that_starts_programs_loses_only_what_is_listed)
{
    static const struct sandbox_rule rules[] = {SANDBOX_ROW_EPERM(ptrace, "no debugging")};
    static const struct sandbox_policy policy = {
        .process = "starter", .others = SANDBOX_ALLOW_OTHERS, .rules = rules, .num_rules = COUNT(rules)};
    const struct probe_setup setup = {.policy = &policy};
    struct probe_report report = probe_run(&setup, PROBE_PTRACE);
    cr_expect_eq(report.result, PROBE_ERRNO);
    cr_expect_eq(report.error, EPERM);
    static const enum probe_action allowed[] = {PROBE_OPEN,   PROBE_SOCKET,    PROBE_EXECVE,       PROBE_EXECVEAT,
                                                PROBE_CLONE3, PROBE_MMAP_EXEC, PROBE_MPROTECT_EXEC};
    for (size_t i = 0; i < COUNT(allowed); i++) {
        report = probe_run(&setup, allowed[i]);
        cr_expect_eq(report.result, PROBE_ALLOWED, "%s: %s", probe_action_name(allowed[i]), probe_describe(&report));
    }
    cr_expect_eq(probe_run(&setup, PROBE_X32).result, PROBE_KILLED, "x32 is refused there as well");
}

/* A thread that was there before the filter is under it as well. */
static void *thread_call(void *context)
{
    const int *start = context;
    struct pollfd in = {.fd = *start, .events = POLLIN};
    poll(&in, 1, -1);
    syscall(SYS_getppid);
    return NULL;
}

static long wake_thread(void *context)
{
    int *ends = context;
    if (channel_send(ends[0], (const uint8_t *)"x", 1, NULL, 0) != ERR_OK) return -EIO;
    for (;;) poll(NULL, 0, -1);
}

Test(sandbox, covers_threads_that_were_there_before)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        struct diag diag = {{0}};
        alarm(10);
        if (pthread_create(&thread, NULL, thread_call, &ends[1]) != 0) _exit(1);
        if (sandbox_enter(&base_policy, NULL, 0, &diag) != ERR_OK) _exit(2);
        wake_thread(ends);
        _exit(3);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %x", (unsigned)status);
}

static long get_dumpable(void *context)
{
    (void)context;
    struct rlimit core = {1, 1};
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0) return -EIO;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

Test(sandbox, memory_is_hidden)
{
    static const struct sandbox_rule rules[] = {
        BASE_ROWS,
        SANDBOX_ROW_IF(prctl, "asks whether it is dumpable", SANDBOX_IS(0, PR_GET_DUMPABLE)),
        SANDBOX_ROW(prlimit64, "asks for its limit"),
    };
    const struct probe_report report = call_with(rules, COUNT(rules), get_dumpable, NULL);
    cr_assert_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
    cr_assert_eq(report.value, 0);
}

/* The kernel's own W^X, below a filter that would allow it. */
static long make_executable(void *context)
{
    return mprotect(context, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : -errno;
}

Test(sandbox, kernel_refuses_to_make_memory_executable)
{
    static const struct sandbox_rule rules[] = {
        SANDBOX_RULES_RUN,        SANDBOX_RULES_LOG,          SANDBOX_RULES_CHANNEL,   SANDBOX_ROW(mprotect, "all"),
        SANDBOX_ROW(mmap, "all"), SANDBOX_ROW(munmap, "all"), SANDBOX_ROW(brk, "all"),
    };
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int mdwe = prctl(66 /* PR_GET_MDWE, Linux 6.3 */, 0, 0, 0, 0);
    const struct probe_report report = call_with(rules, COUNT(rules), make_executable, page);
    if (mdwe < 0) SKIP_ON_THIS_KERNEL("this kernel has no PR_SET_MDWE");
    cr_assert_eq(report.result, PROBE_ERRNO, "%s", probe_describe(&report));
    cr_assert_eq(report.error, EACCES);
}

/* What the kernel says about a process that has entered. */
static long announce_and_wait(void *context)
{
    const int *ends = context;
    if (channel_send(ends[1], (const uint8_t *)"x", 1, NULL, 0) != ERR_OK) return -EIO;
    for (;;) poll(NULL, 0, -1);
}

static void read_status(char *out, size_t out_len, const struct probe_setup *setup)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const pid_t child = fork();
    if (child == 0) {
        struct diag diag = {{0}};
        alarm(10);
        if (setup->isolate && sandbox_isolate(setup->policy, &diag) != ERR_OK) _exit(1);
        if (sandbox_enter(setup->policy, NULL, 0, &diag) == ERR_OK) announce_and_wait(ends);
        _exit(1);
    }
    close(ends[1]);
    cr_assert_eq(channel_wait(ends[0], 5000), ERR_OK);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", child);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t len = read(fd, out, out_len - 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    cr_assert_gt(len, 0, "%s", strerror(errno));
    out[len] = '\0';
}

Test(sandbox, kernel_says_that_it_is_on)
{
    static const char *const lines[] = {"\nNoNewPrivs:\t1\n",
                                        "\nSeccomp:\t2\n",
                                        "\nCapInh:\t0000000000000000\n",
                                        "\nCapPrm:\t0000000000000000\n",
                                        "\nCapEff:\t0000000000000000\n",
                                        "\nCapBnd:\t0000000000000000\n",
                                        "\nCapAmb:\t0000000000000000\n"};
    struct sandbox_policy policy = base_policy;
    policy.namespaces = SANDBOX_NS_NETWORK;
    char status[4096];
    read_status(status, sizeof(status), &(struct probe_setup){.policy = &policy, .isolate = true});
    for (size_t i = 0; i < COUNT(lines); i++)
        cr_expect_not_null(strstr(status, lines[i]), "%s in\n%s", lines[i], status);
}
