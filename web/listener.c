#include "web/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "web/peer_address.h"
#include "web/tls_remedy.h"

enum { ACCEPTS_PER_WAKE = 16, PAUSE_MS = 100 };

static void stop_all(struct listeners *listeners)
{
    for (size_t i = 0; i < LIMIT_LISTENERS; i++) ev_io_stop(listeners->shared->loop, &listeners->slots[i].io);
}

static void pause_accepting(struct listener *listener, int error)
{
    struct listeners *all = listener->all;
    uint64_t withheld;
    if (log_rate_admit(&all->refused_log, &withheld, clock_monotonic_ms(), 1))
        log_error("accept failed listener=%s reason=%s effect='accepting again in %d ms' withheld=%llu",
                  log_quote(listener->address), log_quote(strerror(error)), PAUSE_MS, (unsigned long long)withheld);
    stop_all(all);
    ev_timer_set(&all->pause, PAUSE_MS / 1e3, 0);
    ev_timer_start(all->shared->loop, &all->pause);
}

static void turn_away(struct listener *listener, int fd, const struct sockaddr_storage *peer,
                      enum connection_limit limit)
{
    static const char *const reasons[CONNECTION_LIMITS] = {
        [CONNECTION_LIMIT_ALL] = "there are as many connections as a worker may have",
        [CONNECTION_LIMIT_ADDRESS] = "the client's address has as many connections as it may have",
        [CONNECTION_LIMIT_RATE] = "the client's address begins connections faster than it may",
    };
    char address[64];
    uint64_t withheld;
    close(fd);
    listener->all->limited[limit]++;
    peer_address_format(address, sizeof address, peer);
    const struct verdict_note note = {
        .address = address, .kind = VERDICT_LIMIT, .reason = reasons[limit], .remedy = TLS_REMEDY_LIMIT};
    verdicts_add(listener->all->shared->log.verdicts, &note, clock_wall_ms());
    if (!log_rate_admit(&listener->all->refused_log, &withheld, clock_monotonic_ms(), 1)) return;
    log_line("connection refused listener=%s peer=%s reason=%s withheld=%llu", log_quote(listener->address),
             log_quote(address), log_quote(reasons[limit]), (unsigned long long)withheld);
}

/* CONNECTION_LIMITS: none stands in its way. */
static enum connection_limit limit_of(const struct listeners *listeners, const struct sockaddr_storage *peer)
{
    const struct conn_shared *shared = listeners->shared;
    const uint32_t most = listeners->limits.connections > 0 ? listeners->limits.connections : LIMIT_CONNECTIONS;
    if (shared->conns.num >= most) return CONNECTION_LIMIT_ALL;
    if (shared->addresses == NULL) return CONNECTION_LIMITS;
    switch (address_table_admit(shared->addresses, address_key_of(peer), clock_monotonic_ms())) {
    case ADDRESS_TOO_MANY: return CONNECTION_LIMIT_ADDRESS;
    case ADDRESS_TOO_FAST: return CONNECTION_LIMIT_RATE;
    case ADDRESS_ADMITTED: break;
    }
    return CONNECTION_LIMITS;
}

/* Other workers accept from the same sockets, so finding nothing there is common. */
static int accept_one(struct listener *listener)
{
    struct conn_shared *shared = listener->all->shared;
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof peer;
    int fd = accept4(listener->fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return errno;
    const enum connection_limit limit = limit_of(listener->all, &peer);
    if (limit != CONNECTION_LIMITS)
        turn_away(listener, fd, &peer, limit);
    else if (conn_open(shared, fd, &listener->listen, &peer) != ERR_OK)
        return ENOMEM;
    return 0;
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct listener *listener = watcher->data;
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int error = accept_one(listener);
        switch (error) {
        case 0:
        case EINTR:
        case ECONNABORTED: /* it left while it was waiting: the next one */
        case EPERM:        /* a firewall's word, about this one alone */
        case EPROTO:
        case ENOPROTOOPT:
        case EOPNOTSUPP:
        case ENONET:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH: break; /* Linux passes a connection's own network errors on (accept(2), "Error handling") */
        case EAGAIN: return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: pause_accepting(listener, error); return;
        default:
            log_error("listener lost listener=%s reason=%s", log_quote(listener->address), log_quote(strerror(error)));
            ev_io_stop(loop, watcher);
            return;
        }
    }
}

static void on_pause_over(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    listeners_start(watcher->data);
}

void listeners_init(struct listeners *listeners, struct conn_shared *shared)
{
    memset(listeners, 0, sizeof *listeners);
    listeners->shared = shared;
    ev_init(&listeners->pause, on_pause_over);
    listeners->pause.data = listeners;
    for (size_t i = 0; i < LIMIT_LISTENERS; i++) {
        struct listener *listener = &listeners->slots[i];
        listener->fd = -1;
        listener->all = listeners;
        ev_init(&listener->io, on_connection);
        listener->io.data = listener;
    }
}

static void listener_close(struct listener *listener)
{
    if (listener->fd < 0) return;
    ev_io_stop(listener->all->shared->loop, &listener->io);
    close(listener->fd);
    listener->fd = -1;
}

void listeners_set(struct listeners *listeners, const struct web_listen *listen, int fd)
{
    struct listener *listener = &listeners->slots[listen->slot];
    listener_close(listener);
    listener->fd = fd;
    snprintf(listener->address, sizeof listener->address, "%s", listen->address);
    listener->listen = *listen;
    listener->listen.address = listener->address;
    /* Accepted sockets inherit it. A handshake's flights and an answer's records are whole writes already. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    ev_io_set(&listener->io, fd, EV_READ);
    if (listeners->shared->tls != NULL && !ev_is_active(&listeners->pause))
        ev_io_start(listeners->shared->loop, &listener->io);
}

void listeners_start(struct listeners *listeners)
{
    for (size_t i = 0; i < LIMIT_LISTENERS; i++)
        if (listeners->slots[i].fd >= 0) ev_io_start(listeners->shared->loop, &listeners->slots[i].io);
}

/* The rest of what clients were told is a connection. */
static void take_queue(struct listener *listener)
{
    for (unsigned i = 0; i < SOMAXCONN && accept_one(listener) == 0; i++) {
    }
}

void listeners_finish(struct listeners *listeners)
{
    for (size_t i = 0; i < LIMIT_LISTENERS && listeners->shared->tls != NULL; i++) {
        if (listeners->slots[i].fd >= 0) take_queue(&listeners->slots[i]);
    }
    listeners_close(listeners);
}

void listeners_close(struct listeners *listeners)
{
    ev_timer_stop(listeners->shared->loop, &listeners->pause);
    for (size_t i = 0; i < LIMIT_LISTENERS; i++) listener_close(&listeners->slots[i]);
}
