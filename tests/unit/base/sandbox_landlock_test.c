/* Landlock alone: the policies here allow the calls, so what is refused is refused by the kernel's path checks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/sandbox_rules.h"
#include "tests/unit/sandbox/probe.h"
#include "tests/unit/skip.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct sandbox_rule file_rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_CHANNEL,
    SANDBOX_ROW(openat, "test"),
    SANDBOX_ROW(mkdirat, "test"),
    SANDBOX_ROW(symlinkat, "test"),
    SANDBOX_ROW(mknodat, "test"),
    SANDBOX_ROW(linkat, "test"),
    SANDBOX_ROW(unlinkat, "test"),
    SANDBOX_ROW(renameat, "test"),
    SANDBOX_ROW(ftruncate, "test"),
    SANDBOX_ROW(write, "test"),
    SANDBOX_ROW(read, "test"),
    SANDBOX_ROW(bind, "test"),
    SANDBOX_ROW(connect, "test"),
    SANDBOX_ROW(kill, "test"),
};
static const struct sandbox_policy file_policy = {
    .process = "files", .rules = file_rules, .num_rules = COUNT(file_rules)};

/* Two directories beside each other, each with a file "f" of two bytes. */
static struct {
    char path[64];
    int given;
    int sibling;
} tree;

static int make_dir(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", tree.path, name);
    cr_assert_eq(mkdir(path, 0755), 0);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD file = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_eq(write(file, "hi", 2), 2);
    return fd;
}

static void make_tree(void)
{
    snprintf(tree.path, sizeof(tree.path), "/tmp/keyward-landlock-XXXXXX");
    cr_assert_not_null(mkdtemp(tree.path));
    tree.given = make_dir("given");
    tree.sibling = make_dir("sibling");
}

static void remove_tree(void)
{
    for (int fd = tree.given; fd >= 0; fd = fd == tree.given ? tree.sibling : -1) {
        static const char *const names[] = {"f", "g", "new"};
        for (size_t i = 0; i < COUNT(names); i++) unlinkat(fd, names[i], 0);
        unlinkat(fd, "dir", AT_REMOVEDIR);
        unlinkat(fd, "old", AT_REMOVEDIR);
    }
    AUTO_FD top = open(tree.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unlinkat(top, "given", AT_REMOVEDIR);
    unlinkat(top, "sibling", AT_REMOVEDIR);
    rmdir(tree.path);
}

/* Criterion does not call .fini after a skipped test. */
static void skip_below(int abi)
{
    if (sandbox_landlock_abi() >= abi) return;
    remove_tree();
    char reason[64];
    snprintf(reason, sizeof(reason), "the kernel's Landlock is older than ABI %d", abi);
    SKIP_ON_THIS_KERNEL(reason);
}

TestSuite(sandbox_landlock, .init = make_tree, .fini = remove_tree);

/* A file that act opens, by directory and name. */
struct file {
    int dir;
    const char *name;
    int flags;
};

static long act_open(void *context)
{
    const struct file *file = context;
    const long fd = openat(file->dir, file->name, file->flags, 0644);
    return fd < 0 ? -errno : fd;
}

static void expect_open(const struct probe_setup *setup, struct file file, int error)
{
    const struct probe_report report = probe_call(setup, act_open, &file);
    cr_expect_eq(report.result, error == 0 ? PROBE_ALLOWED : PROBE_ERRNO, "%s: %s", file.name, probe_describe(&report));
    cr_expect_eq(report.error, error, "%s: %s", file.name, probe_describe(&report));
}

Test(sandbox_landlock, nothing_is_reachable_without_directories)
{
    const struct probe_setup setup = {.policy = &file_policy};
    expect_open(&setup, (struct file){tree.given, "f", O_RDONLY}, EACCES);
    expect_open(&setup, (struct file){AT_FDCWD, "/etc/passwd", O_RDONLY}, EACCES);
    expect_open(&setup, (struct file){AT_FDCWD, "/", O_RDONLY}, EACCES);
}

static void expect_read_only(bool isolate)
{
    struct sandbox_policy policy = file_policy;
    policy.namespaces = SANDBOX_NS_MOUNT;
    const struct sandbox_dir dirs[] = {{tree.given, SANDBOX_READ}};
    const struct probe_setup setup = {.policy = &policy, .dirs = dirs, .num_dirs = 1, .isolate = isolate};
    expect_open(&setup, (struct file){tree.given, "f", O_RDONLY}, 0);
    expect_open(&setup, (struct file){tree.given, ".", O_RDONLY | O_DIRECTORY}, 0);
    expect_open(&setup, (struct file){tree.given, "f", O_WRONLY}, EACCES);
    if (sandbox_landlock_abi() >= 3) expect_open(&setup, (struct file){tree.given, "f", O_RDONLY | O_TRUNC}, EACCES);
    expect_open(&setup, (struct file){tree.given, "new", O_WRONLY | O_CREAT}, EACCES);
    expect_open(&setup, (struct file){tree.sibling, "f", O_RDONLY}, EACCES);
    if (!isolate) expect_open(&setup, (struct file){tree.given, "../sibling/f", O_RDONLY}, EACCES);
}

Test(sandbox_landlock, a_given_directory_is_read_and_its_sibling_is_not)
{
    expect_read_only(false);
}

/* The old root is gone, but the descriptor still leads into the given directory. */
Test(sandbox_landlock, the_same_with_an_empty_root)
{
    expect_read_only(true);
}

static long act_upload(void *context)
{
    (void)context;
    const int fd = openat(tree.given, "g", O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0 || write(fd, "text", 4) != 4 || ftruncate(fd, 2) != 0) return -errno;
    if (renameat(tree.given, "g", tree.given, "new") != 0) return -errno;
    return unlinkat(tree.given, "new", 0) == 0 ? 0 : -errno;
}

/* What is no regular file; each in turn. Returns how many were refused as they should. */
static long act_make_others(void *context)
{
    (void)context;
    long refused = 0;
    refused += mkdirat(tree.given, "dir", 0755) != 0 && errno == EACCES;
    refused += symlinkat("/etc/passwd", tree.given, "new") != 0 && errno == EACCES;
    refused += mknodat(tree.given, "new", S_IFIFO | 0644, 0) != 0 && errno == EACCES;
    refused += mknodat(tree.given, "new", S_IFSOCK | 0644, 0) != 0 && errno == EACCES;
    refused += linkat(tree.sibling, "f", tree.given, "new", 0) != 0 && errno == EXDEV;
    refused += unlinkat(tree.given, "old", AT_REMOVEDIR) != 0 && errno == EACCES;
    return refused;
}

static long act_move_out(void *context)
{
    (void)context;
    return renameat(tree.given, "f", tree.sibling, "g") == 0 ? 0 : -errno;
}

Test(sandbox_landlock, a_writable_directory_takes_files_and_nothing_else)
{
    const struct sandbox_dir dirs[] = {{tree.given, SANDBOX_READ_WRITE}, {tree.sibling, SANDBOX_READ_WRITE}};
    const struct probe_setup setup = {.policy = &file_policy, .dirs = dirs, .num_dirs = 2};
    struct probe_report report = probe_call(&setup, act_upload, NULL);
    cr_expect_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
    cr_assert_eq(mkdirat(tree.given, "old", 0755), 0);
    report = probe_call(&setup, act_make_others, NULL);
    cr_expect(report.result == PROBE_ALLOWED && report.value == 6, "%s: %ld", probe_describe(&report), report.value);
    report = probe_call(&setup, act_move_out, NULL);
    cr_expect_eq(report.error, EXDEV, "rename across: %s", probe_describe(&report));
}

Test(sandbox_landlock, says_which_descriptor_is_no_directory)
{
    const struct sandbox_dir dirs[] = {{tree.given, SANDBOX_READ}, {1000, SANDBOX_READ}};
    const struct probe_report report =
        probe_run(&(struct probe_setup){.policy = &file_policy, .dirs = dirs, .num_dirs = 2}, PROBE_OPEN);
    cr_assert_eq(report.result, PROBE_NOT_ENTERED);
    cr_assert_not_null(strstr(report.diag.text, "descriptor 1000"), "%s", report.diag.text);
}

static void expect_action(unsigned keeps, enum probe_action action, int error)
{
    struct sandbox_policy policy = file_policy;
    policy.keeps = keeps;
    const struct probe_report report = probe_run(&(struct probe_setup){.policy = &policy}, action);
    cr_expect_eq(report.result, error == 0 ? PROBE_ALLOWED : PROBE_ERRNO, "%s: %s", probe_action_name(action),
                 probe_describe(&report));
    cr_expect_eq(report.error, error, "%s: %s", probe_action_name(action), probe_describe(&report));
}

Test(sandbox_landlock, no_tcp)
{
    skip_below(4);
    expect_action(0, PROBE_CONNECT, EACCES);
    expect_action(0, PROBE_BIND, EACCES);
    expect_action(SANDBOX_KEEP_TCP_CONNECT, PROBE_CONNECT, 0);
    expect_action(SANDBOX_KEEP_TCP_CONNECT, PROBE_BIND, EACCES);
}

/* A socket with an abstract name is on no path: only the scope keeps it away. */
struct abstract {
    int socket;
    struct sockaddr_un address;
};

static long act_connect_abstract(void *context)
{
    const struct abstract *abstract = context;
    const struct sockaddr *address = (const struct sockaddr *)&abstract->address;
    return connect(abstract->socket, address, sizeof(abstract->address)) == 0 ? 0 : -errno;
}

Test(sandbox_landlock, no_abstract_sockets_of_others)
{
    skip_below(6);
    struct abstract abstract = {.address = {.sun_family = AF_UNIX}};
    const struct sockaddr *address = (const struct sockaddr *)&abstract.address;
    snprintf(abstract.address.sun_path + 1, sizeof(abstract.address.sun_path) - 1, "keyward-test-%d", getpid());
    AUTO_FD listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, address, sizeof(abstract.address)), 0);
    cr_assert_eq(listen(listener, 1), 0);
    abstract.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct probe_report report =
        probe_call(&(struct probe_setup){.policy = &file_policy}, act_connect_abstract, &abstract);
    cr_expect_eq(report.error, EPERM, "%s", probe_describe(&report));
    cr_expect_eq(act_connect_abstract(&abstract), 0, "outside it works");
}

Test(sandbox_landlock, no_signals_to_others)
{
    skip_below(6);
    expect_action(0, PROBE_KILL, EPERM);
    expect_action(SANDBOX_KEEP_SIGNAL, PROBE_KILL, 0);
}
