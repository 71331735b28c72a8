/* The spawner with a program of the test's own: what a child finds, how it ends, what becomes of it when others do. */
#include "broker/spawner.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/broker/fake.h"

#define FAKE "tests/unit/broker/fake"
#define PATIENCE_MS 10000

static struct spawner spawner;
static struct codec_arena *arena;
static struct user users[PROGRAM_NUM];
static struct programs programs;

static void setup(void)
{
    struct diag diag = {0};
    for (size_t i = 0; i < PROGRAM_NUM; i++) programs.fds[i] = -1;
    programs.module = -1;
    programs.fds[PROGRAM_KEYD] = open(FAKE, O_PATH | O_CLOEXEC);
    programs.fds[PROGRAM_WEB] = open("/dev/null", O_PATH | O_CLOEXEC);
    cr_assert_geq(programs.fds[PROGRAM_KEYD], 0);
    for (size_t i = 0; i < PROGRAM_NUM; i++) {
        users[i] = (struct user){.name = "keyward-test", .uid = geteuid(), .gid = getegid()};
        if (geteuid() == 0)
            users[i] = (struct user){.name = "keyward-test", .uid = 61250, .gid = 61251, .change = true};
    }
    setenv("SECRET", "not for children", 1);
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
    /* A descriptor that must not reach anybody, although it lacks the flag. */
    cr_assert_geq(fcntl(open("/dev/null", O_RDONLY), F_DUPFD, 200), 0);
    cr_assert_eq(spawner_start(&spawner, &(struct spawner_plan){.programs = &programs, .users = users}, &diag), ERR_OK,
                 "%s", diag.text);
}

TestSuite(spawner, .init = setup, .timeout = 60);

static struct msg hear(struct packet_extra *extra)
{
    struct msg msg;
    cr_assert_eq(channel_wait(spawner.link.fd, PATIENCE_MS), ERR_OK);
    cr_assert_eq(link_recv(&spawner.link, &msg, extra, arena), ERR_OK);
    return msg;
}

struct child {
    int channel;
    int pidfd;
    pid_t pid;
    struct fake_report report;
};

static void spawn(struct child *out, enum program program)
{
    int ends[2];
    struct packet_extra extra;
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const struct msg order = {.kind = MSG_SPAWN, .id = 42, .spawn = {.program = program, .instance = 5}};
    cr_assert_eq(link_send(&spawner.link, &order, &ends[1], 1), ERR_OK);
    close(ends[1]);
    struct msg msg = hear(&extra);
    cr_assert_eq(msg.kind, MSG_SPAWNED);
    cr_assert_eq(msg.id, 42);
    cr_assert_eq(msg.spawned.program, program);
    cr_assert_eq(msg.spawned.instance, 5);
    *out = (struct child){.channel = ends[0], .pid = (pid_t)msg.spawned.pid, .pidfd = packet_extra_take(&extra, 0)};
}

static void spawn_fake(struct child *out)
{
    spawn(out, PROGRAM_KEYD);
    cr_assert_eq(channel_wait(out->channel, PATIENCE_MS), ERR_OK);
    cr_assert_eq(recv(out->channel, &out->report, sizeof out->report, 0), (ssize_t)sizeof out->report);
}

static void order(const struct child *child, enum fake_order what)
{
    char byte = (char)what;
    cr_assert_eq(send(child->channel, &byte, 1, 0), 1);
}

static int exit_status(const struct child *child)
{
    struct packet_extra extra;
    struct msg msg = hear(&extra);
    cr_assert_eq(msg.kind, MSG_EXITED);
    cr_assert_eq(msg.exited.pid, (uint32_t)child->pid);
    return (int)msg.exited.status;
}

static void expect_gone(const struct child *child)
{
    struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
    cr_assert_eq(poll(&ended, 1, PATIENCE_MS), 1, "pid %d still runs", (int)child->pid);
}

Test(spawner, gives_a_child_nothing_but_its_channel)
{
    struct child child;
    spawn_fake(&child);
    const struct fake_report *report = &child.report;
    cr_assert_eq(report->descriptors, 4, "0, 1, 2 and 3, not %d", report->descriptors);
    cr_assert_eq(report->highest_fd, 3);
    cr_assert(report->stdin_is_null);
    cr_assert_eq(report->environment, 0);
    cr_assert_eq(report->argc, 1);
    cr_assert_str_eq(report->name, "keyd");
    cr_assert_str_eq(report->directory, "/");
    cr_assert_eq(report->umask, 077);
}

Test(spawner, makes_a_child_its_own_and_mortal)
{
    struct child child;
    spawn_fake(&child);
    const struct fake_report *report = &child.report;
    cr_assert_eq(report->pid, child.pid);
    cr_assert_eq(report->sid, child.pid);
    cr_assert_eq(report->death_signal, SIGKILL);
    cr_assert_eq(report->no_new_privs, 1);
    cr_assert_eq(report->blocked, 0);
    cr_assert_eq(report->not_default, 0);
    cr_assert_eq(report->uid, users[PROGRAM_KEYD].uid);
    cr_assert_eq(report->gid, users[PROGRAM_KEYD].gid);
    if (geteuid() == 0) cr_assert_eq(report->groups, 0);
}

Test(spawner, tells_how_children_end)
{
    struct child child;
    spawn_fake(&child);
    order(&child, FAKE_EXIT_7);
    int status = exit_status(&child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    expect_gone(&child);
    spawn_fake(&child);
    order(&child, FAKE_CRASH);
    status = exit_status(&child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_assert_not(WCOREDUMP(status), "no core files");
}

Test(spawner, kills_its_children_and_nobody_else)
{
    struct child child;
    spawn_fake(&child);
    order(&child, FAKE_SLEEP);
    pid_t stranger = fork();
    if (stranger == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    const struct msg wrong = {.kind = MSG_KILL, .kill = {.pid = (uint32_t)stranger, .signal = SIGKILL}};
    const struct msg right = {.kind = MSG_KILL, .kill = {.pid = (uint32_t)child.pid, .signal = SIGKILL}};
    cr_assert_eq(link_send(&spawner.link, &wrong, NULL, 0), ERR_OK);
    cr_assert_eq(link_send(&spawner.link, &right, NULL, 0), ERR_OK);
    int status = exit_status(&child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, stranger, 0), .events = POLLIN};
    cr_assert_geq(ended.fd, 0);
    cr_assert_eq(poll(&ended, 1, 300), 0, "the other one lives");
    kill(stranger, SIGKILL);
}

Test(spawner, says_when_a_program_was_not_opened)
{
    int ends[2];
    struct packet_extra extra;
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const struct msg wanted = {.kind = MSG_SPAWN, .id = 9, .spawn = {.program = PROGRAM_SHIM}};
    cr_assert_eq(link_send(&spawner.link, &wanted, &ends[1], 1), ERR_OK);
    struct msg msg = hear(&extra);
    cr_assert_eq(msg.kind, MSG_FAILED);
    cr_assert_eq(msg.id, 9);
}

Test(spawner, reports_what_cannot_be_executed_as_an_end)
{
    struct child child;
    spawn(&child, PROGRAM_WEB);
    int status = exit_status(&child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 111);
}

Test(spawner, ends_with_all_its_children_when_the_broker_is_gone)
{
    struct child one, two;
    spawn_fake(&one);
    spawn_fake(&two);
    order(&one, FAKE_SLEEP);
    close(spawner.link.fd);
    expect_gone(&one);
    expect_gone(&two);
    int status;
    cr_assert_eq(waitpid(spawner.pid, &status, 0), spawner.pid);
    cr_assert_eq(status, 0);
}

Test(spawner, takes_its_children_with_it_when_it_is_killed)
{
    struct child child;
    spawn_fake(&child);
    order(&child, FAKE_SLEEP);
    kill(spawner.pid, SIGKILL);
    expect_gone(&child);
}

Test(spawner, is_not_in_the_brokers_session)
{
    cr_assert_eq(getsid(spawner.pid), spawner.pid);
}

Test(spawner, keeps_three_capabilities_of_root)
{
    char path[64], line[128];
    unsigned long long effective = 1, bounding = 1;
    cr_assert_eq(geteuid(), 0, "needs root: changes users; run the tests as root");
    snprintf(path, sizeof path, "/proc/%d/status", (int)spawner.pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status)) {
        sscanf(line, "CapEff: %llx", &effective);
        sscanf(line, "CapBnd: %llx", &bounding);
    }
    cr_assert_eq(effective, 1u << 2 | 1u << 5 | 1u << 6 | 1u << 7,
                 "CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID, CAP_SETUID, not %llx", effective);
    cr_assert_eq(bounding & ~effective, 0);
}
