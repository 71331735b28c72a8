#include "browser-shim/sandbox_policy.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/sandbox_rules.h"

/* The shim passes messages on between two channels that it has. It has forked all it ever will. */
static const struct sandbox_rule shim_rules[] = {
    SANDBOX_RULES_RUN,     SANDBOX_RULES_MEMORY, SANDBOX_RULES_LOG,
    SANDBOX_RULES_CHANNEL, SANDBOX_RULES_LOOP,   SANDBOX_ROW(waitid, "sees the launcher out, its only child"),
};

const struct sandbox_policy shim_policy = {
    .process = "browser-shim",
    .namespaces = SANDBOX_NS_NETWORK | SANDBOX_NS_MOUNT | SANDBOX_NS_IPC | SANDBOX_NS_UTS | SANDBOX_NS_CGROUP,
    .others = SANDBOX_KILL_OTHERS,
    /* It sends none itself, but its death sends one to the launcher (PR_SET_PDEATHSIG). */
    .keeps = SANDBOX_KEEP_SIGNAL,
    .rules = shim_rules,
    .num_rules = sizeof shim_rules / sizeof shim_rules[0],
};

/* The gateway is between a browser and a server, and either may be hostile. It makes connections to web's listener, which is in
 * the same private network; under Landlock, from Linux 6.7 on, to that port alone. */
static const struct sandbox_rule gateway_rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_CHANNEL,
    SANDBOX_RULES_LOOP,

    SANDBOX_ROW(poll, "asks whether standard error has room, so that a full pipe does not block"),
    SANDBOX_ROW(accept4, "takes the browser's connections"),
    SANDBOX_ROW_IF(socket, "a connection to web", SANDBOX_IS_INT(0, AF_INET),
                   SANDBOX_IS_INT(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), SANDBOX_IS_INT(2, 0)),
    SANDBOX_ROW(connect, "a connection to web"),
    SANDBOX_ROW_IF(setsockopt, "small segments go at once", SANDBOX_IS_INT(1, IPPROTO_TCP),
                   SANDBOX_IS_INT(2, TCP_NODELAY)),
    SANDBOX_ROW_IF(setsockopt, "cuts a connection that is not whole", SANDBOX_IS_INT(1, SOL_SOCKET),
                   SANDBOX_IS_INT(2, SO_LINGER)),
    SANDBOX_ROW(read, "plain HTTP from the browser, TLS records from web"),
    SANDBOX_ROW(write, "the same, the other way; log lines on standard error"),
    SANDBOX_ROW(recvfrom, "looks whether a browser has asked something"),
    SANDBOX_ROW(shutdown, "ends one half of a browser's connection"),
};

const struct sandbox_policy gateway_policy = {
    .process = "gateway",
    .others = SANDBOX_KILL_OTHERS,
    .rules = gateway_rules,
    .num_rules = sizeof gateway_rules / sizeof gateway_rules[0],
};

#define DENY(call, why) SANDBOX_ROW_EPERM(call, why)
#define DENY_SOCKET(family, why) SANDBOX_ROW_EPERM_IF(socket, why, SANDBOX_IS_INT(0, family))
#define DENY_NETLINK(protocol, why) \
    SANDBOX_ROW_EPERM_IF(socket, why, SANDBOX_IS_INT(0, AF_NETLINK), SANDBOX_IS_INT(2, protocol))

/* A browser is a foreign program that changes with every version: what it may do cannot be listed, what it has no
 * business with can. Its own sandbox, which is much narrower, goes on top of this in its renderers: it needs clone and
 * unshare with new namespaces, chroot and seccomp, which therefore stay. */
static const struct sandbox_rule launcher_rules[] = {
    /* The handle and the memory of other processes. */
    DENY(pidfd_getfd, "would take the handle's descriptor out of another process"),
    DENY(ptrace, "would take over another process of the browser's, the one with the handle among them"),
    DENY(process_vm_readv, "reads another process's memory"),
    DENY(process_vm_writev, "writes another process's memory"),
    DENY(process_madvise, "acts on another process's memory"),
    DENY(kcmp, "compares what processes hold, descriptors among it"),

    /* The way out of the namespaces. */
    DENY(setns, "would enter other namespaces"),
    DENY(mount, "would uncover what is covered; the browser's own sandbox mounts nothing"),
    DENY(umount2, "as mount"),
    DENY(pivot_root, "as mount"),
    DENY(move_mount, "as mount"),
    DENY(open_tree, "as mount"),
    DENY(fsopen, "as mount"),
    DENY(fsconfig, "as mount"),
    DENY(fsmount, "as mount"),
    DENY(fspick, "as mount"),
    DENY(mount_setattr, "as mount"),
    DENY(open_by_handle_at, "opens files by number, past every directory"),
    DENY(name_to_handle_at, "gives the numbers for it"),

    /* Sockets that a network namespace does not hold back, or that are rich in kernel bugs and poor in use. */
    DENY_SOCKET(AF_VSOCK, "reaches the machine's hypervisor and its other guests, whatever the network namespace"),
    DENY_SOCKET(AF_ALG, "the kernel's cryptography; the browser has its own"),
    DENY_SOCKET(AF_PACKET, "raw frames"),
    DENY_SOCKET(AF_XDP, "raw frames"),
    DENY_SOCKET(AF_KEY, "IPsec's keys"),
    DENY_SOCKET(AF_RDS, "not spoken by any browser"),
    DENY_SOCKET(AF_TIPC, "not spoken by any browser"),
    DENY_SOCKET(AF_CAN, "not spoken by any browser"),
    DENY_SOCKET(AF_BLUETOOTH, "radio; nothing in a kiosk asks for it"),
    /* In a user namespace of its own, which it may make, it would have the rights for these. */
    DENY_NETLINK(NETLINK_NETFILTER, "packet filters: a large part of the kernel that no browser has to do with"),
    DENY_NETLINK(NETLINK_XFRM, "IPsec"),

    /* The kernel's own workings. */
    DENY(bpf, "programs for the kernel"),
    DENY(perf_event_open, "measures other programs"),
    DENY(userfaultfd, "stops the kernel in the middle of a copy; a tool of exploits"),
    DENY(io_uring_setup, "system calls that no filter sees"),
    DENY(io_uring_enter, "as io_uring_setup"),
    DENY(io_uring_register, "as io_uring_setup"),
    DENY(add_key, "the kernel's key rings, which are the user's and not the namespace's"),
    DENY(request_key, "as add_key"),
    DENY(keyctl, "as add_key"),
    DENY(fanotify_init, "watches the whole file system"),
    DENY(move_pages, "moves another process's memory"),
    DENY(migrate_pages, "moves another process's memory"),
    DENY(modify_ldt, "16-bit segments"),
    DENY(syslog, "the kernel's log"),

    /* The machine. */
    DENY(init_module, "kernel modules"),
    DENY(finit_module, "kernel modules"),
    DENY(delete_module, "kernel modules"),
    DENY(kexec_load, "another kernel"),
    DENY(kexec_file_load, "another kernel"),
    DENY(reboot, "the machine's power"),
    DENY(swapon, "the machine's memory"),
    DENY(swapoff, "the machine's memory"),
    DENY(acct, "accounting of all processes"),
    DENY(quotactl, "other users' quotas"),
    DENY(settimeofday, "the clock that certificates are judged by"),
    DENY(clock_settime, "the clock that certificates are judged by"),
    DENY(clock_adjtime, "the clock that certificates are judged by"),
    DENY(adjtimex, "the clock that certificates are judged by"),
    DENY(sethostname, "the machine's name"),
    DENY(setdomainname, "the machine's name"),
    DENY(vhangup, "somebody else's terminal"),
    DENY(iopl, "the machine's ports"),
    DENY(ioperm, "the machine's ports"),
    SANDBOX_ROW_EPERM_IF(ioctl, "types into the terminal that the broker was started from", SANDBOX_IS_INT(1, TIOCSTI)),
    SANDBOX_ROW_EPERM_IF(ioctl, "pastes into a console", SANDBOX_IS_INT(1, TIOCLINUX)),
};

const struct sandbox_policy launcher_policy = {
    .process = "browser-shim",
    .others = SANDBOX_ALLOW_OTHERS,
    .rules = launcher_rules,
    .num_rules = sizeof launcher_rules / sizeof launcher_rules[0],
};
