/* What is left of the machine after sandbox_isolate. No filter here: the test looks around with every call there is. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/sandbox.h"
#include "tests/unit/sandbox/probe.h"

#define ORDINARY_USER 1000

static const struct sandbox_policy everything = {
    .process = "isolated",
    .others = SANDBOX_ALLOW_OTHERS,
    .namespaces = SANDBOX_NS_NETWORK | SANDBOX_NS_MOUNT | SANDBOX_NS_IPC | SANDBOX_NS_UTS | SANDBOX_NS_CGROUP,
};

/* Runs act isolated as we are and, where possible, as an ordinary user; it has to return 0. */
static void expect_isolated(long (*act)(void *context), void *context)
{
    const bool both = getuid() == 0 && probe_can_change_user(ORDINARY_USER);
    fprintf(stderr, "as uid %u%s\n", getuid(), both ? " and as uid 1000" : " only: cannot become uid 1000 here");
    for (uid_t user = 0; user <= ORDINARY_USER; user += ORDINARY_USER) {
        if (user != 0 && !both) continue;
        const struct probe_setup setup = {.policy = &everything, .isolate = true, .user = user};
        const struct probe_report report = probe_call(&setup, act, context);
        cr_expect_eq(report.result, PROBE_ALLOWED, "user %u: %s", user, probe_describe(&report));
        cr_expect_eq(report.value, 0, "user %u: %ld", user, report.value);
    }
}

static long count_root_entries(void *context)
{
    (void)context;
    DIR *root = opendir("/");
    if (root == NULL) return -errno;
    long entries = 0;
    while (readdir(root) != NULL) entries++;
    return entries - 2; /* . and .. */
}

Test(sandbox_namespace, root_is_empty)
{
    expect_isolated(count_root_entries, NULL);
}

static long look_outside(void *context)
{
    (void)context;
    struct stat st;
    static const char *const paths[] = {"/etc/passwd", "../etc/passwd", "/proc/self/status", "/tmp", "/dev/null"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (stat(paths[i], &st) == 0 || errno != ENOENT) return (long)i + 1;
    }
    return 0;
}

Test(sandbox_namespace, no_path_leads_out)
{
    expect_isolated(look_outside, NULL);
}

static long write_root(void *context)
{
    (void)context;
    struct statvfs st;
    if (statvfs("/", &st) != 0) return -errno;
    const unsigned long wanted = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
    if ((st.f_flag & wanted) != wanted) return 1;
    return mkdir("/new", 0755) != 0 && errno == EROFS ? 0 : 2;
}

Test(sandbox_namespace, root_is_read_only)
{
    expect_isolated(write_root, NULL);
}

static long read_given_file(void *context)
{
    const int *dir = context;
    char text[5];
    AUTO_FD fd = openat(*dir, "passwd", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    return read(fd, text, sizeof(text)) == sizeof(text) ? 0 : 1;
}

Test(sandbox_namespace, an_open_directory_keeps_working)
{
    int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    expect_isolated(read_given_file, &etc);
}

static long count_interfaces(void *context)
{
    (void)context;
    struct if_nameindex *all = if_nameindex();
    if (all == NULL) return -errno;
    long others = 0;
    for (const struct if_nameindex *at = all; at->if_index != 0; at++) others += strcmp(at->if_name, "lo") != 0;
    if_freenameindex(all);
    return others;
}

Test(sandbox_namespace, no_network_interface_but_lo)
{
    cr_assert_gt(count_interfaces(NULL), 0, "outside there has to be one, or this test shows nothing");
    expect_isolated(count_interfaces, NULL);
}

static long count_capabilities(void *context)
{
    (void)context;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets) != 0) return -errno;
    long held = 0;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        held += sets[i].effective != 0 || sets[i].permitted != 0 || sets[i].inheritable != 0;
    }
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++) {
        held += prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 0;
        held += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) != 0;
    }
    return held;
}

Test(sandbox_namespace, no_capability_in_any_set)
{
    expect_isolated(count_capabilities, NULL);
}

static long compare_ids(void *context)
{
    const uid_t *before = context;
    return getuid() == *before || getuid() == ORDINARY_USER ? 0 : 1;
}

Test(sandbox_namespace, ids_stay)
{
    uid_t uid = getuid();
    expect_isolated(compare_ids, &uid);
}

/* The namespaces that a process is in, by the inodes of /proc/self/ns. */
#define NAMESPACES 6
struct namespaces {
    int dir;
    ino_t inodes[NAMESPACES];
};

static bool read_namespaces(struct namespaces *out)
{
    static const char *const names[NAMESPACES] = {"user", "net", "mnt", "ipc", "uts", "cgroup"};
    for (size_t i = 0; i < NAMESPACES; i++) {
        struct stat st;
        if (fstatat(out->dir, names[i], &st, 0) != 0) return false;
        out->inodes[i] = st.st_ino;
    }
    return true;
}

static long isolate_and_compare(void *context)
{
    struct namespaces before = *(struct namespaces *)context;
    struct diag diag;
    before.dir = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct namespaces after = before;
    if (!read_namespaces(&before) || sandbox_isolate(&everything, &diag) != ERR_OK) return -EIO;
    if (!read_namespaces(&after)) return -errno;
    long same = 0;
    for (size_t i = 0; i < NAMESPACES; i++) same += before.inodes[i] == after.inodes[i];
    return same;
}

Test(sandbox_namespace, every_namespace_is_a_new_one)
{
    struct namespaces context = {0};
    const struct probe_report report = probe_call(&(struct probe_setup){0}, isolate_and_compare, &context);
    cr_assert_eq(report.result, PROBE_ALLOWED, "%s", probe_describe(&report));
    cr_assert_eq(report.value, 0, "%ld namespaces are the old ones", report.value);
}

/* Failures say what to do. The text comes back through memory that is shared with the child. */
static struct diag *shared_diag(void)
{
    struct diag *diag = mmap(NULL, sizeof(*diag), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(diag, MAP_FAILED);
    return diag;
}

static void *sleep_forever(void *context)
{
    for (;;) pause();
    return context;
}

static long isolate_with_thread(void *context)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, sleep_forever, NULL) != 0) return -EIO;
    return sandbox_isolate(&everything, context) == ERR_SYSTEM ? 0 : 1;
}

Test(sandbox_namespace, says_that_threads_are_in_the_way)
{
    struct diag *diag = shared_diag();
    const struct probe_report report = probe_call(&(struct probe_setup){0}, isolate_with_thread, diag);
    cr_assert(report.result == PROBE_ALLOWED && report.value == 0, "%s", probe_describe(&report));
    cr_assert_not_null(strstr(diag->text, "before a second thread"), "%s", diag->text);
}

static bool write_file(const char *path, const char *text)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In a user namespace of its own a process may lower the limit, and so see what a machine with the limit 0 does. */
static long isolate_without_user_namespaces(void *context)
{
    char map[32];
    snprintf(map, sizeof(map), "0 %u 1", getuid());
    if (unshare(CLONE_NEWUSER) != 0 || !write_file("/proc/self/uid_map", map) ||
        !write_file("/proc/sys/user/max_user_namespaces", "0")) {
        return -errno;
    }
    return sandbox_isolate(&everything, context) == ERR_SYSTEM ? 0 : 1;
}

Test(sandbox_namespace, says_which_setting_is_in_the_way)
{
    struct diag *diag = shared_diag();
    const struct probe_report report = probe_call(&(struct probe_setup){0}, isolate_without_user_namespaces, diag);
    cr_assert(report.result == PROBE_ALLOWED && report.value == 0, "%s", probe_describe(&report));
    cr_assert_not_null(strstr(diag->text, "run sysctl -w user.max_user_namespaces"), "%s", diag->text);
}

/* The kernel gives /proc/self of such a process to root (proc(5)), and with it the map of ids. */
static long isolate_not_dumpable(void *context)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -errno;
    return sandbox_isolate(&everything, context) == ERR_SYSTEM ? 0 : 1;
}

Test(sandbox_namespace, says_that_a_change_of_user_is_in_the_way)
{
    struct diag *diag = shared_diag();
    const uid_t user = getuid() == 0 ? ORDINARY_USER : 0;
    const bool able = user == 0 || probe_can_change_user(user);
    cr_assert(able, "needs a root that can become another user; this one is in a user namespace");
    const struct probe_report report = probe_call(&(struct probe_setup){.user = user}, isolate_not_dumpable, diag);
    cr_assert(report.result == PROBE_ALLOWED && report.value == 0, "%s", probe_describe(&report));
    cr_assert_not_null(strstr(diag->text, "not after a change of user"), "%s", diag->text);
}
