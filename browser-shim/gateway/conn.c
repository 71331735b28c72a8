/* One connection of the browser's, and the one to web that belongs to it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "browser-shim/gateway/gateway_internal.h"
#include "tlsclient/explain.h"

/* Times that both ways are gone before others have their turn. */
#define ROUNDS 8

static const char *remedy(enum refusal refusal)
{
    if (refusal == REFUSAL_HELD) return "make room for the audit log; 'broker audit status' says more";
    return "see what the broker logs of the browser's handle";
}

/* The CA is the broker's: no option names it. */
static const struct tlsclient_words words = {.ca_option = "the broker's CA", .remedy = remedy};

/* Never to be kept, and asked for again by itself when a person looks at it. */
#define SORRY                                                                                        \
    "<!doctype html><html lang=en><meta charset=utf-8><title>One moment</title>"                     \
    "<style>html{color-scheme:light dark;font:1.5rem system-ui,sans-serif;height:100%;display:grid;" \
    "place-content:center;text-align:center}</style>"                                                \
    "<main><h1>One moment</h1><p role=status>The page cannot be reached. It comes back by itself.</main>\n"

static const char answer_head[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                  "Content-Type: text/html; charset=utf-8\r\n"
                                  "Cache-Control: no-store\r\n"
                                  "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
                                  "Retry-After: 1\r\n"
                                  "Refresh: 1\r\n"
                                  "Connection: close\r\n"
                                  "\r\n" SORRY;

void conn_free(struct conn *conn)
{
    struct gateway *gateway = conn->gateway;
    ev_io_stop(gateway->loop, &conn->browser);
    ev_io_stop(gateway->loop, &conn->web);
    ev_timer_stop(gateway->loop, &conn->timer);
    tlsclient_free(conn->tls);
    key_release(conn->key);
    if (conn->web.fd >= 0) close(conn->web.fd);
    close(conn->browser.fd);
    gateway_note_end(gateway, conn);
    free(conn);
}

/* So that the browser does not take a beginning for the whole. */
static void cut(struct conn *conn)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(conn->browser.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_free(conn);
}

static void watch(struct conn *conn, ev_io *io, int events)
{
    struct ev_loop *loop = conn->gateway->loop;
    if (ev_is_active(io) && (io->events & (EV_READ | EV_WRITE)) == events) return;
    ev_io_stop(loop, io);
    if (events == 0) return;
    ev_io_set(io, io->fd, events);
    ev_io_start(loop, io);
}

static void allow(struct conn *conn, uint32_t ms)
{
    ev_timer_stop(conn->gateway->loop, &conn->timer);
    ev_timer_set(&conn->timer, ms / 1e3, 0.);
    ev_now_update(conn->gateway->loop);
    ev_timer_start(conn->gateway->loop, &conn->timer);
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

/* The browser has all that there is; what it still sends is not read by anybody, but closing before that would take the
 * answer from it (RFC 9112, 9.6). */
static void part(struct conn *conn)
{
    ev_io_stop(conn->gateway->loop, &conn->web);
    if (conn->browser_ended || shutdown(conn->browser.fd, SHUT_WR) != 0) {
        conn_free(conn);
        return;
    }
    conn->state = CONN_PARTING;
    allow(conn, conn->gateway->config.linger_ms);
    watch(conn, &conn->browser, EV_READ);
}

static void drain(struct conn *conn)
{
    uint8_t unread[4096];
    for (unsigned i = 0; i < ROUNDS; i++) {
        const ssize_t len = read(conn->browser.fd, unread, sizeof unread);
        if (len > 0) continue;
        if (len == 0 || (errno != EAGAIN && errno != EINTR)) conn_free(conn);
        return;
    }
}

/* It is small, and the first that the browser gets: the socket has room for it. */
static void answer(struct conn *conn)
{
    const ssize_t len = write(conn->browser.fd, answer_head, sizeof answer_head - 1);
    if (len == (ssize_t)sizeof answer_head - 1)
        part(conn);
    else
        cut(conn);
}

/* A browser that has not asked anything yet gets no answer: many open connections in advance. */
static void await_request(struct conn *conn)
{
    uint8_t unread;
    const ssize_t len = recv(conn->browser.fd, &unread, sizeof unread, MSG_PEEK);
    if (len > 0)
        answer(conn);
    else if (len == 0 || (errno != EAGAIN && errno != EINTR))
        conn_free(conn);
}

static void refuse(struct conn *conn, const char *why)
{
    gateway_log_failure(conn->gateway, why);
    key_release(conn->key);
    conn->key = NULL;
    if (conn->answered) {
        cut(conn);
        return;
    }
    ev_io_stop(conn->gateway->loop, &conn->web);
    conn->state = CONN_REFUSING;
    if (conn->asked) {
        answer(conn);
        return;
    }
    watch(conn, &conn->browser, EV_READ);
    allow(conn, conn->gateway->config.handshake_ms);
}

static void refuse_tls(struct conn *conn)
{
    struct diag why = {{0}};
    enum err err = tlsclient_explain(tlsclient_story(conn->tls), &words, &why);
    (void)err;
    refuse(conn, why.text);
}

/* ---- Carrying ---------------------------------------------------------------------------------------------------- */

/* What one way waits for. */
struct needs {
    int browser, web; /* EV_READ, EV_WRITE */
    bool moved;
};

enum went { WENT_ON, WENT_ENDED /* the connection is no longer there, or no longer carries */ };

static void need_web(struct needs *needs, enum tlsclient_wait wait)
{
    needs->web |= wait == TLSCLIENT_WAITS_WRITE ? EV_WRITE : EV_READ;
}

static enum went read_browser(struct conn *conn, struct needs *needs)
{
    const ssize_t len = read(conn->browser.fd, conn->up.data, sizeof conn->up.data);
    if (len > 0) {
        conn->up.start = 0;
        conn->up.len = (size_t)len;
        conn->asked = needs->moved = true;
    } else if (len == 0) {
        conn->browser_ended = needs->moved = true;
    } else if (errno == EAGAIN || errno == EINTR) {
        needs->browser |= EV_READ;
    } else {
        conn_free(conn);
        return WENT_ENDED;
    }
    return WENT_ON;
}

static void write_web(struct conn *conn, struct needs *needs)
{
    size_t len;
    enum tlsclient_wait wait;
    struct buffer *up = &conn->up;
    enum err err = tlsclient_write(conn->tls, &len, (struct bytes){up->data + up->start, up->len}, &wait);
    if (err == ERR_AGAIN) {
        need_web(needs, wait);
    } else if (err == ERR_OK) {
        up->start += len;
        up->len -= len;
        needs->moved = true;
    } else {
        conn->web_is_deaf = true;
        up->len = 0;
    }
}

static enum went carry_up(struct conn *conn, struct needs *needs)
{
    if (conn->web_is_deaf) return WENT_ON;
    if (conn->up.len == 0 && !conn->browser_ended && read_browser(conn, needs) == WENT_ENDED) return WENT_ENDED;
    if (conn->up.len > 0) write_web(conn, needs);
    if (conn->browser_ended && conn->up.len == 0 && !conn->told_web) {
        tlsclient_end(conn->tls);
        conn->told_web = true;
    }
    return WENT_ON;
}

static enum went read_web(struct conn *conn, struct needs *needs)
{
    size_t len;
    enum tlsclient_wait wait;
    enum err err = tlsclient_read(conn->tls, conn->down.data, &len, sizeof conn->down.data, &wait);
    if (err == ERR_AGAIN) {
        need_web(needs, wait);
    } else if (err == ERR_OK) {
        conn->down.start = 0;
        conn->down.len = len;
        conn->web_ended = len == 0;
        needs->moved = true;
    } else {
        refuse_tls(conn); /* web may judge a client only after the client's part of the handshake */
        return WENT_ENDED;
    }
    return WENT_ON;
}

static enum went write_browser(struct conn *conn, struct needs *needs)
{
    struct buffer *down = &conn->down;
    const ssize_t len = write(conn->browser.fd, down->data + down->start, down->len);
    if (len > 0) {
        down->start += (size_t)len;
        down->len -= (size_t)len;
        conn->answered = needs->moved = true;
    } else if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        needs->browser |= EV_WRITE;
    } else {
        conn_free(conn);
        return WENT_ENDED;
    }
    return WENT_ON;
}

static enum went carry_down(struct conn *conn, struct needs *needs)
{
    if (conn->down.len == 0 && !conn->web_ended && read_web(conn, needs) == WENT_ENDED) return WENT_ENDED;
    if (conn->down.len > 0 && write_browser(conn, needs) == WENT_ENDED) return WENT_ENDED;
    if (conn->down.len > 0 || !conn->web_ended) return WENT_ON;
    part(conn);
    return WENT_ENDED;
}

static void carry(struct conn *conn)
{
    struct needs needs;
    bool moved_at_all = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        needs = (struct needs){0};
        if (carry_up(conn, &needs) == WENT_ENDED || carry_down(conn, &needs) == WENT_ENDED) return;
        moved_at_all |= needs.moved;
        if (!needs.moved) break;
    }
    watch(conn, &conn->browser, needs.browser);
    watch(conn, &conn->web, needs.web);
    if (needs.moved) ev_feed_event(conn->gateway->loop, &conn->web, EV_CUSTOM); /* after the others */
    if (conn->browser_ended && moved_at_all) allow(conn, conn->gateway->config.half_ms);
}

/* ---- The handshake ----------------------------------------------------------------------------------------------- */

static void shake(struct conn *conn)
{
    enum tlsclient_wait wait;
    enum err err = tlsclient_handshake(conn->tls, &wait);
    if (err == ERR_AGAIN) {
        const int waits[] = {[TLSCLIENT_WAITS_READ] = EV_READ, [TLSCLIENT_WAITS_WRITE] = EV_WRITE};
        watch(conn, &conn->web, wait == TLSCLIENT_WAITS_SIGNATURE ? 0 : waits[wait]);
        if (wait == TLSCLIENT_WAITS_SIGNATURE) key_watch(conn->key);
    } else if (err != ERR_OK) {
        refuse_tls(conn);
    } else {
        key_release(conn->key);
        conn->key = NULL;
        ev_timer_stop(conn->gateway->loop, &conn->timer);
        conn->state = CONN_CARRYING;
        carry(conn);
    }
}

static void on_signed(void *context)
{
    shake(context);
}

static void step(struct conn *conn)
{
    switch (conn->state) {
    case CONN_SHAKING: shake(conn); return;
    case CONN_CARRYING: carry(conn); return;
    case CONN_REFUSING: await_request(conn); return;
    case CONN_PARTING: drain(conn); return;
    }
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    step(watcher->data);
}

static void on_late(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct conn *conn = watcher->data;
    if (conn->state == CONN_SHAKING)
        refuse(conn, "the handshake was not complete in time");
    else if (conn->state == CONN_CARRYING)
        cut(conn);
    else
        conn_free(conn);
}

/* ---- The beginning ----------------------------------------------------------------------------------------------- */

/* The connection is perhaps not there yet; the handshake waits for it as it waits for room in it. */
static enum err reach_web(struct conn *conn)
{
    const int on = 1;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(conn->gateway->config.port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return ERR_SYSTEM;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) return ERR_SYSTEM;
    ev_io_set(&conn->web, fd, EV_READ);
    auto_keep_fd(&fd);
    return tlsclient_new(&conn->tls, conn->key->server, conn->key->signer, conn->web.fd, on_signed, conn);
}

void conn_new(struct gateway *gateway, int browser_fd)
{
    const int on = 1;
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(browser_fd);
        return;
    }
    conn->gateway = gateway;
    conn->next = gateway->conns;
    if (conn->next != NULL) conn->next->prev = conn;
    gateway->conns = conn;
    gateway->num_conns++;
    ev_io_init(&conn->browser, on_ready, browser_fd, EV_READ);
    ev_io_init(&conn->web, on_ready, -1, EV_READ);
    ev_timer_init(&conn->timer, on_late, 0., 0.);
    conn->browser.data = conn->web.data = conn->timer.data = conn;
    (void)setsockopt(browser_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    allow(conn, gateway->config.handshake_ms);
    if (gateway->key->ended) {
        refuse(conn, "the handle has ended");
        return;
    }
    conn->key = gateway->key;
    conn->key->users++;
    if (reach_web(conn) != ERR_OK) {
        refuse(conn, strerror(errno));
        return;
    }
    shake(conn);
}
