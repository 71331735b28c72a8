/* The broker's and the spawner's policies, attacked from the inside. */
#include "broker/sandbox_policy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/channel.h"
#include "broker/procfs.h"
#include "tests/unit/sandbox/probe.h"

static char base[] = "/tmp/keyward-sandbox-XXXXXX";
static struct sandbox_dir dirs[2];
static struct probe_setup setup = {.policy = &broker_policy, .dirs = dirs, .num_dirs = 2};
static const struct probe_setup no_sandbox;

static void make_dirs(void)
{
    cr_assert_not_null(mkdtemp(base));
    dirs[0] = (struct sandbox_dir){.fd = open("/proc", O_RDONLY | O_DIRECTORY), .access = SANDBOX_READ};
    dirs[1] = (struct sandbox_dir){.fd = open(base, O_RDONLY | O_DIRECTORY), .access = SANDBOX_READ_WRITE};
}

static void remove_dirs(void)
{
    cr_assert_eq(rmdir(base), 0);
}

TestSuite(broker_sandbox, .init = make_dirs, .fini = remove_dirs);

Test(broker_sandbox, allows_none_of_what_an_attacker_wants)
{
    static const struct probe_expectation expected[] = {
        {PROBE_CLONE3, PROBE_ERRNO, ENOSYS},
        {PROBE_OPEN, PROBE_ERRNO, EACCES},      /* Landlock: only /proc and the runtime directory */
        {PROBE_MEMFD_CREATE, PROBE_ALLOWED, 0}, /* holds the client CAs; execveat and PROT_EXEC are not to be had */
    };
    cr_assert_eq(probe_surprises(&setup, expected, sizeof expected / sizeof *expected), 0);
}

static pid_t watched;

static long read_proc(void *context)
{
    struct procfs_process seen;
    return procfs_read(&seen, context, watched) == ERR_OK ? 0 : -EIO;
}

Test(broker_sandbox, still_looks_at_processes)
{
    struct procfs procfs;
    int socket_here = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    watched = getpid();
    cr_assert_eq(procfs_open(&procfs, socket_here, NULL), ERR_OK);
    struct probe_report report = probe_call(&setup, read_proc, &procfs);
    cr_assert_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
}

static long remove_socket(void *context)
{
    (void)context;
    return unlinkat(dirs[1].fd, "control", 0) == 0 ? 0 : -errno;
}

static long remove_elsewhere(void *context)
{
    return unlinkat(AT_FDCWD, context, 0) == 0 ? 0 : -errno;
}

Test(broker_sandbox, removes_its_socket_and_no_other_file)
{
    char other[] = "/tmp/keyward-other-XXXXXX";
    close(mkstemp(other));
    cr_assert_eq(mknodat(dirs[1].fd, "control", S_IFSOCK | 0700, 0), 0);
    cr_assert_eq(probe_call(&setup, remove_socket, NULL).result, PROBE_ALLOWED);
    struct probe_report report = probe_call(&setup, remove_elsewhere, other);
    cr_assert_eq(report.result, PROBE_ERRNO);
    cr_assert_eq(report.error, EACCES);
    cr_assert_eq(unlink(other), 0);
}

static long make_file(void *context)
{
    (void)context;
    return openat(dirs[1].fd, "new", O_WRONLY | O_CREAT, 0600) >= 0 ? 0 : -errno;
}

static long write_proc(void *context)
{
    (void)context;
    return openat(dirs[0].fd, "self/oom_score_adj", O_WRONLY) >= 0 ? 0 : -errno;
}

Test(broker_sandbox, makes_and_writes_no_file)
{
    cr_assert_eq(probe_call(&no_sandbox, make_file, NULL).result, PROBE_ALLOWED);
    cr_assert_eq(unlinkat(dirs[1].fd, "new", 0), 0);
    cr_assert_eq(probe_call(&setup, make_file, NULL).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&no_sandbox, write_proc, NULL).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, write_proc, NULL).result, PROBE_KILLED);
}

static long make_channel(void *context)
{
    int ends[2];
    (void)context;
    if (channel_pair(ends) != ERR_OK) return -errno;
    return channel_want_sender(ends[0]) == ERR_OK ? 0 : -errno;
}

static long make_stream_pair(void *context)
{
    int ends[2];
    (void)context;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? 0 : -errno;
}

static long set_other_option(void *context)
{
    const int on = 1;
    return setsockopt(*(int *)context, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0 ? 0 : -errno;
}

Test(broker_sandbox, makes_channels_and_no_other_sockets)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    cr_assert_eq(probe_call(&setup, make_channel, NULL).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&no_sandbox, make_stream_pair, NULL).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, make_stream_pair, NULL).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&no_sandbox, set_other_option, &ends[0]).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, set_other_option, &ends[0]).result, PROBE_KILLED);
}

static long append_to_log(void *context)
{
    const struct iovec line = {(char[]){'x', '\n'}, 2};
    return writev(*(int *)context, &line, 1) == 2 ? 0 : -errno;
}

static long cut_log(void *context)
{
    return ftruncate(*(int *)context, 0) == 0 ? 0 : -errno;
}

static long write_at_front(void *context)
{
    return pwrite(*(int *)context, "evil", 4, 0) == 4 ? 0 : -errno;
}

/* The log was opened to append: what pwrite is told to write at the front goes to the end (open(2)). */
Test(broker_sandbox, appends_to_its_log_and_does_not_shorten_it)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "%s/log", base);
    int log = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    cr_assert_eq(probe_call(&setup, append_to_log, &log).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, write_at_front, &log).result, PROBE_ALLOWED);
    cr_assert_eq(pread(log, text, sizeof text, 0), 6);
    cr_assert_str_eq(text, "x\nevil");
    cr_assert_eq(probe_call(&setup, cut_log, &log).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&no_sandbox, cut_log, &log).result, PROBE_ALLOWED);
    cr_assert_eq(unlink(path), 0);
}

/* Reads what somebody else wrote: nothing is left but that. */
Test(audit_sandbox, reads_and_prints)
{
    static const struct probe_setup audit = {.policy = &audit_policy};
    static const struct probe_expectation expected[] = {{PROBE_CLONE3, PROBE_ERRNO, ENOSYS}};
    cr_assert_eq(probe_surprises(&audit, expected, sizeof expected / sizeof *expected), 0);
}

static int listen_at(struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, address, len), 0);
    cr_assert_eq(listen(fd, 4), 0);
    cr_assert_eq(getsockname(fd, address, &len), 0);
    return fd;
}

static long connect_stream(void *context)
{
    const struct sockaddr *address = context;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = address->sa_family == AF_UNIX ? sizeof(struct sockaddr_un) : sizeof(struct sockaddr_in);
    if (fd < 0) return -errno;
    return connect(fd, address, len) == 0 || errno == EINPROGRESS ? 0 : -errno;
}

static long make_datagram_socket(void *context)
{
    (void)context;
    return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) >= 0 ? 0 : -errno;
}

/* A Unix socket's path is up to the file system's rights: Landlock has no say there. */
Test(broker_sandbox, connects_to_its_applications_alone)
{
    struct sockaddr_in app = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, other = app;
    int app_fd = listen_at((struct sockaddr *)&app, sizeof app),
        other_fd = listen_at((struct sockaddr *)&other, sizeof other);
    uint16_t port = ntohs(app.sin_port);
    struct probe_setup connecting = setup;
    connecting.policy = &broker_connecting_policy;
    connecting.ports = &port;
    connecting.num_ports = 1;
    cr_assert_eq(probe_call(&setup, connect_stream, &app).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&connecting, connect_stream, &app).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&no_sandbox, make_datagram_socket, NULL).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&connecting, make_datagram_socket, NULL).result, PROBE_KILLED);
    if (sandbox_landlock_abi() >= 4) {
        struct probe_report report = probe_call(&connecting, connect_stream, &other);
        cr_assert_eq(report.result, PROBE_ERRNO);
        cr_assert_eq(report.error, EACCES);
    }
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    snprintf(path.sun_path, sizeof path.sun_path, "%s/app", base);
    int unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(unix_fd, (struct sockaddr *)&path, sizeof path), 0);
    cr_assert_eq(listen(unix_fd, 4), 0);
    cr_assert_eq(probe_call(&connecting, connect_stream, &path).result, PROBE_ALLOWED);
    cr_assert_eq(unlink(path.sun_path), 0);
    close(unix_fd);
    close(app_fd);
    close(other_fd);
}

/* The spawner may do what its children have to, but not what none of them has any business with. */
Test(spawner_sandbox, refuses_what_nobody_needs)
{
    static const struct probe_setup spawner = {.policy = &spawner_policy};
    static const struct {
        enum probe_action action;
        enum probe_result result;
    } rows[] = {
        {PROBE_PTRACE, PROBE_ERRNO},
        {PROBE_PROCESS_VM_READV, PROBE_ERRNO},
        {PROBE_PROCESS_VM_WRITEV, PROBE_ERRNO},
        {PROBE_PIDFD_GETFD, PROBE_ERRNO},
        {PROBE_BPF, PROBE_ERRNO},
        {PROBE_KEYCTL, PROBE_ERRNO},
        {PROBE_IO_URING, PROBE_ERRNO},
        {PROBE_USERFAULTFD, PROBE_ERRNO},
        {PROBE_PERF_EVENT_OPEN, PROBE_ERRNO},
        {PROBE_X32, PROBE_KILLED},
        {PROBE_FORK, PROBE_ALLOWED},
        {PROBE_EXECVEAT, PROBE_ALLOWED},
        {PROBE_KILL, PROBE_ALLOWED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct probe_report report = probe_run(&spawner, rows[i].action);
        cr_assert_eq(report.result, rows[i].result, "%s: %s", probe_action_name(rows[i].action),
                     probe_describe(&report));
        if (rows[i].result == PROBE_ERRNO) cr_assert_eq(report.error, EPERM, "%s", probe_action_name(rows[i].action));
    }
}

static struct sandbox_dir all;
static struct probe_setup loader = {.policy = &loader_policy, .dirs = &all, .num_dirs = 1};

static void open_all(void)
{
    all = (struct sandbox_dir){.fd = open("/", O_PATH | O_DIRECTORY), .access = SANDBOX_READ};
    make_dirs();
}

TestSuite(loader_sandbox, .init = open_all, .fini = remove_dirs);

Test(loader_sandbox, allows_nothing_but_to_read)
{
    static const struct probe_expectation expected[] = {
        {PROBE_CLONE3, PROBE_ERRNO, ENOSYS},
        {PROBE_OPEN, PROBE_ALLOWED, 0},
    };
    cr_assert_eq(probe_surprises(&loader, expected, sizeof expected / sizeof *expected), 0);
    cr_assert_eq(probe_call(&loader, make_file, NULL).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&loader, write_proc, NULL).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&loader, remove_socket, NULL).result, PROBE_KILLED);
}

static long become_other(void *context)
{
    (void)context;
    return setresuid(61252, 61252, 61252) == 0 ? 0 : -errno;
}

static long look_as_other(void *context)
{
    (void)context;
    (void)setfsuid(61252);
    return setfsuid((uid_t)-1) == 61252 ? 0 : -EPERM;
}

Test(loader_sandbox, becomes_nobody_else)
{
    cr_assert_eq(geteuid(), 0, "needs root: rights to give up; run the tests as root");
    cr_assert_eq(probe_call(&no_sandbox, become_other, NULL).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&loader, become_other, NULL).result, PROBE_KILLED);
    cr_assert_eq(probe_call(&loader, look_as_other, NULL).result, PROBE_ALLOWED);
}

static long read_others(void *context)
{
    return openat(AT_FDCWD, context, O_RDONLY) >= 0 ? 0 : -errno;
}

Test(loader_sandbox, reads_what_belongs_to_others)
{
    cr_assert_eq(geteuid(), 0, "needs root: rights to keep; run the tests as root");
    char other[] = "/tmp/keyward-other-XXXXXX";
    close(mkstemp(other));
    cr_assert_eq(chown(other, 61252, 61252), 0);
    cr_assert_eq(probe_call(&loader, read_others, other).result, PROBE_ALLOWED);
    cr_assert_eq(probe_call(&setup, read_others, other).result, PROBE_ERRNO);
    cr_assert_eq(unlink(other), 0);
}
