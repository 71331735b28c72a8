#include "web/sandbox_policy.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/sandbox_rules.h"

/* No socket, connect, bind or listen: what it serves on, it was handed. No fork, clone or execve: the committer's
 * thread exists before the filter does. No path: openat2 and openat reach what Landlock leaves, the two directories.
 * What takes only a descriptor is harmless on any that the process has: sockets, channels, its epoll descriptor, the
 * two directories and files in them. */
static const struct sandbox_rule rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_CHANNEL,
    SANDBOX_RULES_LOOP,

    /* Connections. */
    SANDBOX_ROW_IF(accept4, "takes connections from the listeners that the broker handed over",
                   SANDBOX_IS_INT(3, SOCK_NONBLOCK | SOCK_CLOEXEC)),
    SANDBOX_ROW(read, "TLS records (BoringSSL's socket BIO), the committer's wake-ups"),
    SANDBOX_ROW(write, "TLS records, the bytes of an upload, log lines"),
    SANDBOX_ROW(poll, "asks whether standard error has room, so that a full pipe does not block"),
    SANDBOX_ROW(recvfrom, "reads what a peer still sends after our side is closed"),
    SANDBOX_ROW_IF(shutdown, "closes our side and leaves the peer's", SANDBOX_IS_INT(1, SHUT_WR)),
    SANDBOX_ROW_IF(setsockopt, "TCP_NODELAY on a new listener", SANDBOX_IS_INT(1, IPPROTO_TCP),
                   SANDBOX_IS_INT(2, TCP_NODELAY)),
    SANDBOX_ROW_IF(setsockopt,
                   "SO_LINGER: what broke off on its way to a client without TLS, or to an upstream, ends in a reset, "
                   "not in an end",
                   SANDBOX_IS_INT(1, SOL_SOCKET), SANDBOX_IS_INT(2, SO_LINGER)),
    SANDBOX_ROW(getsockname, "the address that a stream's client has reached"),
    SANDBOX_ROW_IF(fcntl, "makes a new listener non-blocking", SANDBOX_IS_INT(1, F_SETFL),
                   SANDBOX_IS_INT(2, O_RDWR | O_NONBLOCK)),
    SANDBOX_ROW_IF(epoll_create1,
                   "a listener that was closed here is open elsewhere, so its connections still wake our epoll "
                   "descriptor: libev then begins with a new one",
                   SANDBOX_IS_INT(0, EPOLL_CLOEXEC)),
    SANDBOX_ROW_IF(fcntl, "libev asks whether a descriptor is open, if epoll calls it bad", SANDBOX_IS_INT(1, F_GETFD)),

    /* Files. */
    SANDBOX_ROW(openat2, "opens a file of the root directory; its flags are in memory, out of a filter's sight: "
                         "Landlock decides"),
    SANDBOX_ROW_IF(openat, "makes the temporary file of an upload; where, Landlock decides",
                   SANDBOX_MASKED(2, O_ACCMODE | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_EXCL)),
    SANDBOX_ROW(newfstatat, "a file's size, time and kind"),
    SANDBOX_ROW(fstat, "a file's size, time and kind"),
    SANDBOX_ROW(pread64, "a file's bytes; the PEM file of client CAs, whose offset other workers share"),
    SANDBOX_ROW(flock, "marks an upload's temporary file as alive; workers take turns at giving uploads their names"),
    SANDBOX_ROW(getdents64, "counts the uploads directory for its quota"),
    SANDBOX_ROW(lseek, "counts it again, from its beginning"),
    SANDBOX_ROW(fsync, "an upload is on the disk before it is answered"),
    SANDBOX_ROW(renameat, "an upload takes its name"),
    SANDBOX_ROW(renameat2, "an upload takes its name"),
    SANDBOX_ROW(unlinkat, "removes the temporary file of an upload that was cut off"),
    SANDBOX_ROW(rt_sigprocmask, "a thread that ends blocks signals first"),
};

const struct sandbox_policy web_sandbox_policy = {
    .process = "web",
    .namespaces = SANDBOX_NS_NETWORK | SANDBOX_NS_MOUNT | SANDBOX_NS_IPC | SANDBOX_NS_UTS | SANDBOX_NS_CGROUP,
    .others = SANDBOX_KILL_OTHERS,
    .rules = rules,
    .num_rules = sizeof rules / sizeof *rules,
};
