/* One connection to an application: bytes both ways, plain or over TLS. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tlsclient/tlsclient.h"
#include "web/proxy/proxy_internal.h"

struct upstream *upstream_new(struct proxy *proxy, uint32_t route, int fd)
{
    static const int on = 1;
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (upstream == NULL) return NULL;
    /* Not for Unix sockets, which have nothing to delay. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    upstream->proxy = proxy;
    upstream->route = route;
    upstream->fd = fd;
    ev_init(&upstream->io, proxy_on_io);
    ev_init(&upstream->timer, proxy_on_timer);
    upstream->io.data = upstream->timer.data = upstream;
    proxy->num_upstreams++;
    return upstream;
}

void upstream_close(struct upstream *upstream)
{
    struct proxy *proxy = upstream->proxy;
    ev_io_stop(proxy->loop, &upstream->io);
    ev_timer_stop(proxy->loop, &upstream->timer);
    if (upstream->tls != NULL && upstream->asked == 0) tlsclient_end(upstream->tls);
    tlsclient_free(upstream->tls);
    close(upstream->fd);
    free(upstream);
    proxy->num_upstreams--;
}

static void watch_socket(struct upstream *upstream, int events)
{
    struct ev_loop *loop = upstream->proxy->loop;
    int active = ev_is_active(&upstream->io) ? upstream->io.events & (EV_READ | EV_WRITE) : 0;
    if (active == events) return;
    ev_io_stop(loop, &upstream->io);
    if (events == 0) return;
    ev_io_set(&upstream->io, upstream->fd, events);
    ev_io_start(loop, &upstream->io);
}

void upstream_watch(struct upstream *upstream, int events)
{
    watch_socket(upstream, events);
    /* What has been decrypted and not fetched is out of epoll's sight. */
    if ((events & EV_READ) != 0 && upstream->tls != NULL && tlsclient_has_unread(upstream->tls))
        ev_feed_event(upstream->proxy->loop, &upstream->io, EV_READ);
}

/* As errno has it, where the socket would say so. */
static ssize_t tls_result(struct upstream *upstream, enum err err, size_t len)
{
    if (err == ERR_OK) return (ssize_t)len;
    upstream->failed = err != ERR_AGAIN;
    errno = err == ERR_AGAIN ? EAGAIN : EPROTO;
    return -1;
}

/* Once it is complete a TLS 1.3 connection reads to read and writes to write, so which of them is waited for is no news. */
ssize_t upstream_read(struct upstream *upstream, uint8_t *out, size_t cap)
{
    size_t len;
    enum tlsclient_wait wait;
    if (upstream->tls == NULL) return read(upstream->fd, out, cap);
    enum err err = tlsclient_read(upstream->tls, out, &len, cap, &wait);
    return tls_result(upstream, err, len);
}

static void add_piece(struct msghdr *message, struct bytes piece)
{
    union {
        const uint8_t *in;
        void *out; /* sendmsg does not write to it */
    } base = {.in = piece.data};
    if (piece.len > 0) message->msg_iov[message->msg_iovlen++] = (struct iovec){base.out, piece.len};
}

/* Both in one record, if they fit: a small request is one record then, and one segment. */
static ssize_t write_tls(struct upstream *upstream, struct bytes head, struct bytes body)
{
    uint8_t *both = upstream->proxy->scratch;
    const size_t room = sizeof(upstream->proxy->scratch);
    struct bytes data = head.len > 0 ? head : body;
    enum tlsclient_wait wait;
    size_t len;
    if (head.len > 0 && head.len < room && body.len > 0) {
        const size_t of_body = body.len < room - head.len ? body.len : room - head.len;
        memcpy(both, head.data, head.len);
        memcpy(both + head.len, body.data, of_body);
        data = (struct bytes){both, head.len + of_body};
    }
    enum err err = tlsclient_write(upstream->tls, &len, data, &wait);
    return tls_result(upstream, err, len);
}

ssize_t upstream_write(struct upstream *upstream, struct bytes head, struct bytes body)
{
    struct iovec pieces[2];
    struct msghdr message = {.msg_iov = pieces};
    if (upstream->tls != NULL) return write_tls(upstream, head, body);
    add_piece(&message, head);
    add_piece(&message, body);
    return sendmsg(upstream->fd, &message, MSG_NOSIGNAL);
}

void upstream_end(struct upstream *upstream)
{
    if (upstream->tls != NULL)
        tlsclient_end(upstream->tls);
    else
        shutdown(upstream->fd, SHUT_WR);
}

/* A TLS server may send tickets and keys while nobody asks for anything; that is none of an answer. */
bool upstream_is_spoilt(struct upstream *upstream)
{
    uint8_t byte;
    size_t len;
    enum tlsclient_wait wait;
    if (upstream->tls != NULL) return tlsclient_peek(upstream->tls, &byte, &len, 1, &wait) != ERR_AGAIN;
    ssize_t got = recv(upstream->fd, &byte, 1, MSG_PEEK);
    return got >= 0 || errno != EAGAIN;
}
