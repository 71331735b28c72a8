/* Namespaces: what the process is cut off from, made with a user namespace so that no privilege is needed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/sandbox.h"
#include "base/sandbox_steps.h"

static bool namespace_setting_is(const char *path, char value)
{
    char first = '\0';
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &first, 1) == 1 && first == value;
}

/* namespace_advice says which setting of the machine stands in the way. */
static const char *namespace_advice(int error)
{
    if (error == EINVAL) return "it has to be done before a second thread is started";
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) {
        return "it has to be done in a program that was started as its user, not after a change of user or "
               "PR_SET_DUMPABLE";
    }
    if (error == ENOSPC || namespace_setting_is("/proc/sys/user/max_user_namespaces", '0')) {
        return "run sysctl -w user.max_user_namespaces=15000";
    }
    if (namespace_setting_is("/proc/sys/kernel/unprivileged_userns_clone", '0')) {
        return "run sysctl -w kernel.unprivileged_userns_clone=1";
    }
    if (namespace_setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1')) {
        return "run sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give the program an AppArmor profile "
               "with userns";
    }
    if (error == ENOSYS) return "run a kernel with CONFIG_USER_NS, CONFIG_NET_NS, CONFIG_IPC_NS and CONFIG_UTS_NS";
    return "allow unprivileged user namespaces (in a container: its seccomp profile; in a chroot: leave it)";
}

static enum err namespace_fail(const struct sandbox_policy *policy, const char *what, struct diag *diag)
{
    const int error = errno;
    return diag_set(diag, ERR_SYSTEM, "%s: sandbox: %s: %s; %s", policy->process, what, strerror(error),
                    namespace_advice(error));
}

static int namespace_flags(unsigned namespaces)
{
    int flags = CLONE_NEWUSER;
    if ((namespaces & SANDBOX_NS_NETWORK) != 0) flags |= CLONE_NEWNET;
    if ((namespaces & SANDBOX_NS_MOUNT) != 0) flags |= CLONE_NEWNS;
    if ((namespaces & SANDBOX_NS_IPC) != 0) flags |= CLONE_NEWIPC;
    if ((namespaces & SANDBOX_NS_UTS) != 0) flags |= CLONE_NEWUTS;
    if ((namespaces & SANDBOX_NS_CGROUP) != 0) flags |= CLONE_NEWCGROUP;
    return flags;
}

static bool namespace_write(const char *path, const char *text)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    const size_t len = strlen(text);
    return fd >= 0 && write(fd, text, len) == (ssize_t)len;
}

/* The process keeps its own ids and nobody else's exist. setgroups has to be given up before an unprivileged process
 * may write a group map (user_namespaces(7)). */
static enum err namespace_map_ids(const struct sandbox_policy *policy, uid_t uid, gid_t gid, struct diag *diag)
{
    char uids[64];
    char gids[64];
    snprintf(uids, sizeof(uids), "%u %u 1\n", uid, uid);
    snprintf(gids, sizeof(gids), "%u %u 1\n", gid, gid);
    if (namespace_write("/proc/self/setgroups", "deny") && namespace_write("/proc/self/uid_map", uids) &&
        namespace_write("/proc/self/gid_map", gids)) {
        return ERR_OK;
    }
    return namespace_fail(policy, "cannot map its own ids into the user namespace", diag);
}

/* An empty tmpfs takes the place of the root, and the old root goes with everything under it. /proc is only where the
 * new one is put for a moment: a directory that exists on every machine. pivot_root(".", ".") stacks the old root on
 * the new one, where umount finds it (pivot_root(2), "Notes"). */
static enum err namespace_empty_root(const struct sandbox_policy *policy, struct diag *diag)
{
    const unsigned long inert = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("keyward", "/proc", "tmpfs", inert, "size=4k,nr_inodes=1,mode=0555") != 0 || chdir("/proc") != 0 ||
        syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | inert, NULL) != 0) {
        return namespace_fail(policy, "cannot put an empty root in place of the file system", diag);
    }
    return ERR_OK;
}

enum err sandbox_isolate(const struct sandbox_policy *policy, struct diag *diag)
{
    if (policy->namespaces != 0) {
        const uid_t uid = geteuid();
        const gid_t gid = getegid();
        if (unshare(namespace_flags(policy->namespaces)) != 0) {
            return namespace_fail(policy, "cannot make its namespaces", diag);
        }
        enum err err = namespace_map_ids(policy, uid, gid, diag);
        if (err == ERR_OK && (policy->namespaces & SANDBOX_NS_MOUNT) != 0) err = namespace_empty_root(policy, diag);
        if (err != ERR_OK) return err;
    }
    return sandbox_drop_capabilities(policy, diag);
}
