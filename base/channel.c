#include "base/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

/* Room for what a packet may bring. What does not fit, the kernel closes and says so (MSG_CTRUNC). */
union channel_control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(LIMIT_PACKET_FDS * sizeof(int))];
};

static enum err channel_errno(void)
{
    switch (errno) {
    case EAGAIN: return ERR_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN: return ERR_CLOSED;
    case EMSGSIZE: return ERR_TOO_LARGE;
    case ENOBUFS:
    case ENOMEM: return ERR_MEMORY;
    default: return ERR_SYSTEM;
    }
}

enum err channel_pair(int out_ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out_ends) == 0 ? ERR_OK : ERR_SYSTEM;
}

enum err channel_want_sender(int fd)
{
    const int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 ? ERR_OK : ERR_SYSTEM;
}

static void channel_put_fds(struct msghdr *header, union channel_control *control, const int *fds, size_t num_fds)
{
    memset(control, 0, sizeof(*control));
    header->msg_control = control->room;
    header->msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
    struct cmsghdr *part = CMSG_FIRSTHDR(header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
    memcpy(CMSG_DATA(part), fds, num_fds * sizeof(int));
}

enum err channel_send(int fd, const uint8_t *data, size_t len, const int *fds, size_t num_fds)
{
    CHECK(len > 0 && num_fds <= LIMIT_PACKET_FDS);
    if (len > LIMIT_PACKET) return ERR_TOO_LARGE;

    union {
        const uint8_t *in;
        void *out; /* sendmsg does not write to it, but iovec serves recvmsg too */
    } base = {.in = data};
    struct iovec iov = {.iov_base = base.out, .iov_len = len};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    union channel_control control;
    if (num_fds > 0) channel_put_fds(&header, &control, fds, num_fds);

    ssize_t sent;
    do {
        sent = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? channel_errno() : ERR_OK;
}

/* channel_take_fds moves the descriptors of part to extra; those over the limit are closed. False if there were any. */
static bool channel_take_fds(struct packet_extra *extra, const struct cmsghdr *part)
{
    size_t num = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    bool fits = true;
    for (size_t i = 0; i < num; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
        if (extra->num_fds < LIMIT_PACKET_FDS) {
            extra->fds[extra->num_fds++] = fd;
        } else {
            close(fd);
            fits = false;
        }
    }
    return fits;
}

/* channel_take_extra collects what came with the packet. False if there were more descriptors than fit. */
static bool channel_take_extra(struct packet_extra *extra, struct msghdr *header)
{
    bool fits = (header->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET) continue;
        if (part->cmsg_type == SCM_RIGHTS && !channel_take_fds(extra, part)) fits = false;
        if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len == CMSG_LEN(sizeof(extra->sender))) {
            memcpy(&extra->sender, CMSG_DATA(part), sizeof(extra->sender));
            extra->has_sender = true;
        }
    }
    return fits;
}

enum err channel_recv(int fd, uint8_t *buf, size_t *out_len, struct packet_extra *out_extra, size_t buf_len,
                      size_t max_fds)
{
    *out_len = 0;
    *out_extra = (struct packet_extra){0};

    struct iovec iov = {.iov_base = buf, .iov_len = buf_len};
    union channel_control control;
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    /* Of an end that closes with packets unread the kernel tells once, and before what that end had sent: its last word
     * can still be read. */
    bool told = false;
    ssize_t received;
    do {
        received = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (received < 0 && errno == ECONNRESET && !told) {
            told = true;
            errno = EINTR;
        }
    } while (received < 0 && errno == EINTR);
    if (received < 0) return channel_errno();

    bool fits = channel_take_extra(out_extra, &header) && out_extra->num_fds <= max_fds;
    enum err err = ERR_OK;
    if (received == 0)
        err = ERR_CLOSED;
    else if ((header.msg_flags & MSG_TRUNC) != 0)
        err = ERR_TOO_LARGE;
    else if (!fits)
        err = ERR_MALFORMED;
    if (err == ERR_OK)
        *out_len = (size_t)received;
    else
        packet_extra_close(out_extra);
    return err;
}

enum err channel_wait(int fd, unsigned timeout_ms)
{
    const uint64_t deadline = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        const uint64_t now = clock_monotonic_ms();
        if (now > deadline) return ERR_TIMEOUT;
        struct pollfd in = {.fd = fd, .events = POLLIN};
        const uint64_t left = deadline - now;
        int ready = poll(&in, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (ready > 0) return (in.revents & POLLNVAL) != 0 ? ERR_SYSTEM : ERR_OK;
        if (ready == 0 && left == 0) return ERR_TIMEOUT;
        if (ready < 0 && errno != EINTR) return ERR_SYSTEM;
    }
}

void packet_extra_close(struct packet_extra *extra)
{
    for (size_t i = 0; i < extra->num_fds; i++) {
        if (extra->fds[i] >= 0) close(extra->fds[i]);
    }
    extra->num_fds = 0;
}

int packet_extra_take(struct packet_extra *extra, size_t i)
{
    CHECK(i < extra->num_fds && extra->fds[i] >= 0);
    int fd = extra->fds[i];
    extra->fds[i] = -1;
    return fd;
}
