#include "browser-shim/namespace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

pid_t namespace_clone(int *out_pidfd, const struct shim_setup *setup)
{
    unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (setup->display[0] == '\0') flags |= CLONE_NEWIPC;
    /* The system call and not clone(3): without a new stack it is fork. */
    return (pid_t)syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, out_pidfd, NULL, NULL);
}

static bool setting_is(const char *path, char value)
{
    char first = '\0';
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &first, 1) == 1 && first == value;
}

const char *namespace_advice(int error)
{
    if (error == ENOSPC) return "run sysctl -w user.max_user_namespaces=15000";
    if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", '0')) {
        return "run sysctl -w kernel.unprivileged_userns_clone=1";
    }
    if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1')) {
        return "run sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give browser-shim an AppArmor profile "
               "with userns";
    }
    return "allow unprivileged user namespaces (in a container: its seccomp profile; in a chroot: leave it)";
}

static bool write_setting(const char *path, const char *text)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);
    return fd >= 0 && write(fd, text, len) == (ssize_t)len;
}

enum err namespace_map_user(uid_t uid, gid_t gid, struct diag *diag)
{
    char uids[64];
    char gids[64];
    snprintf(uids, sizeof uids, "%u %u 1\n", uid, uid);
    snprintf(gids, sizeof gids, "%u %u 1\n", gid, gid);
    /* Without setgroups given up an unprivileged process may not map a group (user_namespaces(7)). */
    if (write_setting("/proc/self/setgroups", "deny") && write_setting("/proc/self/uid_map", uids) &&
        write_setting("/proc/self/gid_map", gids)) {
        return ERR_OK;
    }
    int error = errno;
    return diag_set(diag, ERR_SYSTEM, "browser's user namespace: cannot map user %u: %s; %s", uid, strerror(error),
                    namespace_advice(error));
}

static bool raise_loopback(int fd)
{
    struct ifreq request = {.ifr_name = "lo"};
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return false;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

enum err namespace_listen(int *out_fd, uint16_t port, struct diag *diag)
{
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !raise_loopback(fd)) {
        return diag_set(diag, ERR_SYSTEM, "browser's network namespace: cannot bring its loopback up: %s",
                        strerror(errno));
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0) {
        return diag_set(diag, ERR_SYSTEM, "browser's network namespace: cannot listen on 127.0.0.1:%u: %s", port,
                        strerror(errno));
    }
    *out_fd = auto_keep_fd(&fd);
    return ERR_OK;
}

enum err namespace_drop_capabilities(struct diag *diag)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++) {
    }
    if (errno == EINVAL && syscall(SYS_capset, &header, none) == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "browser's user namespace: cannot give up capabilities: %s", strerror(errno));
}
