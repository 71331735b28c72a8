/* The worker's sandbox from inside: what a worker that was taken over would try. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "tests/unit/sandbox/probe.h"
#include "web/sandbox_policy.h"

static const struct probe_expectation expected[] = {
    {PROBE_CLONE3, PROBE_ERRNO, ENOSYS}, /* libc would go on with clone, which kills */
};

Test(sandbox, refuses_what_a_taken_over_worker_would_try)
{
    struct probe_setup setup = {.policy = &web_sandbox_policy, .isolate = true};
    cr_assert_eq(probe_surprises(&setup, expected, sizeof expected / sizeof *expected), 0);
}

/* Two directories as the broker gives them, and a file beside them that nobody may reach. */
static char base_dir[] = "/tmp/keyward-web-sandbox-XXXXXX";
static int root_fd, uploads_fd;

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base_dir, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static int make_dir(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base_dir, name);
    cr_assert_eq(mkdir(path, 0755), 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static void make_tree(void)
{
    cr_assert_not_null(mkdtemp(base_dir));
    root_fd = make_dir("root");
    uploads_fd = make_dir("uploads");
    write_file("root/page.html", "hello");
    write_file("secret", "not yours");
}

static void remove_tree(void)
{
    char command[sizeof base_dir + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", base_dir);
    cr_expect_eq(system(command), 0);
}

static struct probe_report run(long (*act)(void *))
{
    static struct sandbox_dir dirs[2];
    dirs[0] = (struct sandbox_dir){.fd = root_fd, .access = SANDBOX_READ};
    dirs[1] = (struct sandbox_dir){.fd = uploads_fd, .access = SANDBOX_READ_WRITE};
    struct probe_setup setup = {.policy = &web_sandbox_policy, .dirs = dirs, .num_dirs = 2, .isolate = true};
    return probe_call(&setup, act, NULL);
}

static long open2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve, .mode = (flags & O_CREAT) != 0 ? 0600 : 0};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

static long read_page(void *context)
{
    (void)context;
    char text[8];
    long fd = open2(root_fd, "page.html", O_RDONLY | O_CLOEXEC, RESOLVE_BENEATH);
    if (fd < 0) return fd;
    return pread((int)fd, text, sizeof text, 0) == 5 && memcmp(text, "hello", 5) == 0 ? 0 : -EIO;
}

static long read_beside(void *context)
{
    (void)context;
    return open2(root_fd, "../secret", O_RDONLY | O_CLOEXEC, 0);
}

static long read_root_of_all(void *context)
{
    (void)context;
    return open2(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0);
}

static long write_page(void *context)
{
    (void)context;
    return open2(root_fd, "page.html", O_WRONLY | O_CLOEXEC, RESOLVE_BENEATH);
}

static long make_page(void *context)
{
    (void)context;
    int fd = openat(root_fd, "new.html", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static long upload(void *context)
{
    (void)context;
    int fd = openat(uploads_fd, ".part", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    if (write(fd, "bytes", 5) != 5 || fsync(fd) != 0) return -errno;
    if (renameat(uploads_fd, ".part", uploads_fd, "whole") != 0 || fsync(uploads_fd) != 0) return -errno;
    return unlinkat(uploads_fd, "whole", 0) != 0 ? -errno : 0;
}

static long open_to_read(void *context)
{
    (void)context;
    return openat(root_fd, "page.html", O_RDONLY | O_CLOEXEC);
}

static void expect(long (*act)(void *), enum probe_result result, int error)
{
    struct probe_report report = run(act);
    cr_assert_eq(report.result, result, "%s", probe_describe(&report));
    if (error != 0) cr_assert_eq(report.error, error, "%s", probe_describe(&report));
}

TestSuite(sandbox_files, .init = make_tree, .fini = remove_tree);

Test(sandbox_files, reads_beneath_the_root_directory)
{
    expect(read_page, PROBE_ALLOWED, 0);
}

Test(sandbox_files, reads_nothing_beside_it)
{
    expect(read_beside, PROBE_ERRNO, EACCES);
    expect(read_root_of_all, PROBE_ERRNO, 0);
}

Test(sandbox_files, writes_nothing_there)
{
    expect(write_page, PROBE_ERRNO, EACCES);
    expect(make_page, PROBE_ERRNO, EACCES);
}

Test(sandbox_files, uploads)
{
    expect(upload, PROBE_ALLOWED, 0);
}

Test(sandbox_files, opens_by_the_old_call_only_what_it_makes)
{
    expect(open_to_read, PROBE_KILLED, 0);
}
