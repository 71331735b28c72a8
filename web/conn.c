#include "web/conn.h"

#include <errno.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "web/conn_internal.h"
#include "web/peer_address.h"
#include "web/tls_socket.h"

enum { STEPS_PER_WAKE = 32 };

struct conn_deadlines conn_deadlines_default(void)
{
    return (struct conn_deadlines){
        .handshake_ms = DEADLINE_HANDSHAKE_MS,
        .write_ms = DEADLINE_WRITE_MS,
        .idle_ms = DEADLINE_IDLE_MS,
        .echo_ms = DEADLINE_ECHO_MS,
        .shutdown_ms = DEADLINE_SHUTDOWN_MS,
    };
}

void conn_free(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;
    ev_io_stop(shared->loop, &conn->io);
    ev_timer_stop(shared->loop, &conn->timer);
    conn_table_remove(&shared->conns, conn);
    address_table_leave(shared->addresses, conn->address);
    if (conn->session != NULL) conn->session->ops->free(conn->session);
    conn_handshake_end(conn);
    SSL_free(conn->ssl);
    CRYPTO_BUFFER_free(conn->leaf);
    lineage_free(conn->lineage);
    close(conn->fd);
    free(conn->unsent);
    free(conn);
    shared->closed(shared->context);
}

enum conn_wait conn_enter(struct conn *conn, enum conn_state state)
{
    const struct conn_deadlines *deadlines = &conn->shared->deadlines;
    uint64_t now = clock_monotonic_ms();
    CHECK(state > conn->state || state == CONN_HANDSHAKE); /* there is no way back */
    switch (state) {
    case CONN_HANDSHAKE: conn->deadline = now + deadlines->handshake_ms; break;
    case CONN_OPEN: break; /* step_open names it at each wait */
    case CONN_CLOSING: conn->deadline = now + deadlines->shutdown_ms; break;
    case CONN_LINGERING:
        conn->deadline = now + deadlines->shutdown_ms;
        shutdown(conn->fd, SHUT_WR);
        break;
    case CONN_CLOSED: break;
    }
    conn->state = state;
    return WAIT_NOTHING;
}

/* Keeps what was not taken, of which the connection may have the memory already. */
static enum conn_wait keep_unsent(struct conn *conn, const uint8_t *data, size_t len)
{
    const bool first = conn->unsent == NULL;
    if (first) conn->unsent = malloc(len);
    if (conn->unsent == NULL) return conn_enter(conn, CONN_CLOSED);
    memmove(conn->unsent, data, len);
    conn->unsent_len = len;
    if (first) conn->deadline = clock_monotonic_ms() + conn->shared->deadlines.write_ms;
    return WAIT_WRITE;
}

static enum conn_wait write_piece(struct conn *conn, const uint8_t *data, size_t len)
{
    size_t taken;
    switch (conn_send(conn, &taken, data, len)) {
    case TRANSFER_DONE:
        free(conn->unsent);
        conn->unsent = NULL;
        return WAIT_NOTHING;
    case TRANSFER_WAIT: return keep_unsent(conn, data + taken, len - taken);
    case TRANSFER_ENDED:
    case TRANSFER_LOST: break;
    }
    return conn_enter(conn, CONN_CLOSED);
}

static enum conn_wait wait_for_session(struct conn *conn, enum conn_wait wait)
{
    uint64_t deadline = conn->session->ops->deadline(conn->session);
    conn->deadline = deadline != 0 ? deadline : clock_monotonic_ms() + conn->shared->deadlines.idle_ms;
    return wait;
}

static enum conn_wait read_piece(struct conn *conn)
{
    const struct session_ops *ops = conn->session->ops;
    size_t len;
    switch (conn_receive(conn, conn->shared->scratch, &len, sizeof conn->shared->scratch)) {
    case TRANSFER_DONE:
        if (ops->receive(conn->session, conn->shared->scratch, len) != ERR_OK) conn->session_over = true;
        return WAIT_NOTHING;
    case TRANSFER_WAIT: return wait_for_session(conn, WAIT_READ);
    case TRANSFER_ENDED:
        conn->peer_ended = true;
        ops->receive_end(conn->session);
        return WAIT_NOTHING;
    case TRANSFER_LOST: break;
    }
    return conn_enter(conn, CONN_CLOSED);
}

/* TLS tells an end from a cut by its close_notify, which is left out. Without TLS the kernel is to tell it by a reset. */
static enum conn_wait conn_cut(struct conn *conn)
{
    static const struct linger none = {.l_onoff = 1};
    if (conn->ssl != NULL) {
        const enum conn_transfer said = conn_flush(conn); /* before our side is closed */
        if (said == TRANSFER_WAIT) return WAIT_WRITE;
        return conn_enter(conn, said == TRANSFER_DONE ? CONN_LINGERING : CONN_CLOSED);
    }
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    return conn_enter(conn, CONN_CLOSED);
}

/* Whether there is a session whose peer may have to be heard before it takes what it is sent. */
static bool is_raw(const struct conn *conn)
{
    return conn->state == CONN_OPEN && conn->session->ops->raw;
}

static enum conn_wait read_meanwhile(struct conn *conn)
{
    const bool wants = (conn->session->ops->wants(conn->session) & SESSION_READ) != 0;
    if (!wants || conn->peer_ended) return wait_for_session(conn, WAIT_WRITE);
    const enum conn_wait wait = read_piece(conn);
    return wait == WAIT_READ ? WAIT_EITHER : wait;
}

static enum conn_wait write_or_read(struct conn *conn, const uint8_t *data, size_t len)
{
    const enum conn_wait wait = write_piece(conn, data, len);
    return wait == WAIT_WRITE && is_raw(conn) ? read_meanwhile(conn) : wait;
}

/* Tells the peer that there is no more to come; it may go on. */
static enum conn_wait say_end(struct conn *conn)
{
    switch (conn_send_end(conn)) {
    case TRANSFER_DONE:
        conn->said_end = true;
        shutdown(conn->fd, SHUT_WR);
        return WAIT_NOTHING;
    case TRANSFER_WAIT: return wait_for_session(conn, WAIT_WRITE);
    case TRANSFER_ENDED:
    case TRANSFER_LOST: break;
    }
    return conn_enter(conn, CONN_CLOSED);
}

/* All that the session has to say goes out before anything more is read: a peer that does not take answers gets no
 * more of them. */
static enum conn_wait step_open(struct conn *conn)
{
    const struct session_ops *ops = conn->session->ops;
    if (conn->stalled) return read_meanwhile(conn);
    if (conn->unsent != NULL) return write_or_read(conn, conn->unsent, conn->unsent_len);
    size_t len = ops->produce(conn->session, conn->shared->scratch, sizeof conn->shared->scratch);
    if (len > 0) return write_or_read(conn, conn->shared->scratch, len);
    unsigned wants = ops->wants(conn->session);
    if ((wants & SESSION_CUT) != 0) return conn_cut(conn);
    if ((wants & SESSION_CLOSE) != 0 || conn->session_over) return conn_enter(conn, CONN_CLOSING);
    if ((wants & SESSION_END) != 0 && !conn->said_end) return say_end(conn);
    if ((wants & SESSION_READ) != 0 && !conn->peer_ended) return read_piece(conn);
    return wait_for_session(conn, WAIT_CALL);
}

static enum conn_wait step_closing(struct conn *conn)
{
    switch (conn->said_end ? TRANSFER_DONE : conn_send_end(conn)) {
    case TRANSFER_DONE: return conn_enter(conn, CONN_LINGERING);
    case TRANSFER_WAIT: return WAIT_WRITE;
    case TRANSFER_ENDED:
    case TRANSFER_LOST: break;
    }
    return conn_enter(conn, CONN_CLOSED);
}

static enum conn_wait step_lingering(struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->shared->scratch, sizeof conn->shared->scratch, 0);
    if (n > 0 || (n < 0 && errno == EINTR)) return WAIT_NOTHING;
    if (n < 0 && errno == EAGAIN) return WAIT_READ;
    return conn_enter(conn, CONN_CLOSED);
}

static enum conn_wait conn_step(struct conn *conn)
{
    switch (conn->state) {
    case CONN_HANDSHAKE: return conn_handshake_step(conn);
    case CONN_OPEN: return step_open(conn);
    case CONN_CLOSING: return step_closing(conn);
    case CONN_LINGERING: return step_lingering(conn);
    case CONN_CLOSED: break;
    }
    CHECK(conn->state != CONN_CLOSED); /* a closed connection takes no step */
    return WAIT_NOTHING;
}

/* While the signer or the session is waited for, the watcher stays as it was: each change costs a system call, and
 * most often nothing comes meanwhile. If something does, on_io stops it. */
static void watch(struct conn *conn)
{
    int events = conn->wait == WAIT_READ ? EV_READ : EV_WRITE; /* WRITE after too many steps: it comes at once */
    if (conn->wait == WAIT_EITHER) events = EV_READ | EV_WRITE;
    if (conn->wait == WAIT_CALL || (ev_is_active(&conn->io) && (conn->io.events & (EV_READ | EV_WRITE)) == events))
        return;
    ev_io_stop(conn->shared->loop, &conn->io);
    ev_io_set(&conn->io, conn->fd, events);
    ev_io_start(conn->shared->loop, &conn->io);
}

/* The timer is only touched when it would go off too late; going off early costs one look. */
static void set_alarm(struct conn *conn)
{
    uint64_t now = clock_monotonic_ms();
    if (ev_is_active(&conn->timer) && conn->alarm <= conn->deadline) return;
    conn->alarm = conn->deadline;
    ev_timer_stop(conn->shared->loop, &conn->timer);
    ev_timer_set(&conn->timer, conn->deadline > now ? (double)(conn->deadline - now) / 1e3 : 0, 0);
    ev_timer_start(conn->shared->loop, &conn->timer);
}

/* The steps of one wake-up write together. What the peer does not take then, it has as long for as for any answer. */
static void flush(struct conn *conn)
{
    const enum conn_transfer transfer = conn_flush(conn);
    const bool answers = conn->state == CONN_OPEN || conn->state == CONN_CLOSING;
    if (transfer == TRANSFER_WAIT && !conn->stalled && answers && !is_raw(conn))
        conn->deadline = clock_monotonic_ms() + conn->shared->deadlines.write_ms;
    conn->stalled = transfer == TRANSFER_WAIT;
    if (conn->stalled && (!is_raw(conn) || conn->wait == WAIT_CALL)) conn->wait = WAIT_WRITE;
    if (conn->stalled && conn->wait == WAIT_READ) conn->wait = WAIT_EITHER;
    if (transfer == TRANSFER_LOST && conn->state != CONN_CLOSED) conn_enter(conn, CONN_CLOSED);
}

void conn_run(struct conn *conn)
{
    if (conn->running) return; /* the step that called us looks again by itself */
    conn->running = true;
    conn->wait = WAIT_NOTHING;
    if (conn->stalled) flush(conn);
    for (int i = 0; i < STEPS_PER_WAKE && conn->wait == WAIT_NOTHING && conn->state != CONN_CLOSED; i++)
        conn->wait = conn_step(conn);
    if (!conn->stalled) flush(conn);
    conn->running = false;
    if (conn->state == CONN_CLOSED) {
        conn_free(conn);
        return;
    }
    /* Out of steps, so the peer is anything but idle; the session's deadline counts from its next wait. */
    if (conn->wait == WAIT_NOTHING && conn->state == CONN_OPEN)
        conn->deadline = clock_monotonic_ms() + conn->shared->deadlines.write_ms;
    watch(conn);
    set_alarm(conn);
    /* What a raw session has still to hear may be read ahead already, and its socket full: no event would come. */
    if (conn->wait == WAIT_NOTHING && is_raw(conn)) ev_feed_event(conn->shared->loop, &conn->io, EV_WRITE);
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct conn *conn = watcher->data;
    if (conn->ssl != NULL) tls_socket_readable(SSL_get_rbio(conn->ssl));
    if ((events & EV_ERROR) != 0) {
        /* epoll does not take it (no memory, fs.epoll.max_user_watches): trying again would be all we do. */
        conn_enter(conn, CONN_CLOSED);
        conn_run(conn);
    } else if (conn->wait == WAIT_CALL) {
        ev_io_stop(loop, watcher);
    } else {
        conn_run(conn);
    }
}

static void open_expire(struct conn *conn)
{
    const struct session_ops *ops = conn->session->ops;
    /* A peer that takes nothing cannot be told anything, and a session without a deadline has nothing to tell. */
    if (conn->unsent != NULL || conn->stalled || ops->deadline(conn->session) == 0) {
        conn_enter(conn, CONN_CLOSED);
        return;
    }
    ops->expire(conn->session);
    uint64_t deadline = ops->deadline(conn->session);
    if (deadline != 0 && deadline <= clock_monotonic_ms()) conn->session_over = true;
}

static void conn_expire(struct conn *conn)
{
    switch (conn->state) {
    case CONN_HANDSHAKE: conn_handshake_expire(conn); break;
    case CONN_OPEN: open_expire(conn); break;
    case CONN_CLOSING:
    case CONN_LINGERING: conn_enter(conn, CONN_CLOSED); break;
    case CONN_CLOSED: break;
    }
    conn_run(conn);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct conn *conn = watcher->data;
    if (conn->deadline <= clock_monotonic_ms())
        conn_expire(conn);
    else
        set_alarm(conn);
}

enum err conn_open(struct conn_shared *shared, int fd, const struct web_listen *listen,
                   const struct sockaddr_storage *peer)
{
    conn_handshake_make_room(shared);
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(fd);
        return ERR_MEMORY;
    }
    conn->shared = shared;
    conn->fd = fd;
    conn->service = listen->service;
    conn->stream = listen->stream;
    conn->peer.browser = listen->browser;
    peer_address_format(conn->peer.address, sizeof conn->peer.address, peer);
    if (listen->mode == TLS_MODE_OFF) {
        conn->peer.protocol = conn->peer.cipher = conn->peer.group = conn->peer.alpn = "";
    } else if (conn_handshake_begin(conn, listen->mode) != ERR_OK) {
        close(fd);
        free(conn);
        return ERR_MEMORY;
    }
    conn_table_add(&shared->conns, conn);
    conn->address = address_key_of(peer);
    address_table_enter(shared->addresses, conn->address);
    ev_init(&conn->io, on_io);
    ev_init(&conn->timer, on_timer);
    conn->io.data = conn->timer.data = conn;
    conn_enter(conn, CONN_HANDSHAKE);
    conn->wait = WAIT_READ;
    if (listen->mode == TLS_MODE_OFF) {
        conn_begin_session(conn);
        conn_run(conn);
        return ERR_OK;
    }
    watch(conn);
    set_alarm(conn);
    return ERR_OK;
}

void conn_drain_all(struct conn_shared *shared)
{
    shared->draining = true;
    for (struct conn *conn = shared->conns.first, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->state != CONN_OPEN) continue;
        conn->session->ops->drain(conn->session);
        conn_run(conn);
    }
}

void conn_retire_all(struct conn_shared *shared)
{
    shared->retiring = true;
    for (struct conn *conn = shared->conns.first, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->state != CONN_OPEN || conn->session->ops->retire == NULL) continue;
        conn->session->ops->retire(conn->session);
        conn_run(conn);
    }
}

void conn_free_all(struct conn_shared *shared)
{
    while (shared->conns.first != NULL) conn_free(shared->conns.first);
}
