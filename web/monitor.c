#include "web/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "web/http/http1.h"
#include "web/http/site.h"
#include "web/session.h"

/* A connection waits for the broker, then speaks, then waits for the client to close; DEADLINE_MONITOR_MS for all of it. */
struct monitor_conn {
    struct monitor *monitor;
    int fd; /* -1: the place is free */
    uint64_t number;
    struct session *session; /* NULL: the broker's answer is waited for */
    bool ended;              /* our side is closed */
    uint8_t out[4096];       /* from out_at to out_len is still to be written */
    size_t out_at, out_len;
    ev_io io;
    ev_timer timer;
};

struct monitor {
    struct ev_loop *loop;
    void (*ask)(void *context);
    void *context;
    int fd; /* -1: no listener */
    ev_io io;
    bool asked;
    uint64_t last_number;
    struct http_monitored monitored;
    struct http_site *site;
    struct session_peer peer;
    struct monitor_conn conns[LIMIT_MONITORS];
};

static void cut(struct monitor_conn *conn)
{
    if (conn->fd < 0) return;
    ev_io_stop(conn->monitor->loop, &conn->io);
    ev_timer_stop(conn->monitor->loop, &conn->timer);
    if (conn->session != NULL) conn->session->ops->free(conn->session);
    conn->session = NULL;
    close(conn->fd);
    conn->fd = -1;
}

static void watch(struct monitor_conn *conn, int events)
{
    ev_io_stop(conn->monitor->loop, &conn->io);
    ev_io_set(&conn->io, conn->fd, events);
    ev_io_start(conn->monitor->loop, &conn->io);
}

static bool would_block(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Whether there is more to do at once. */
static bool flush(struct monitor_conn *conn)
{
    ssize_t n = write(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at);
    if (would_block(n)) {
        watch(conn, EV_WRITE);
        return false;
    }
    if (n <= 0) {
        cut(conn);
        return false;
    }
    conn->out_at += (size_t)n;
    return true;
}

static bool take(struct monitor_conn *conn)
{
    uint8_t in[4096];
    ssize_t n = read(conn->fd, in, sizeof in);
    if (would_block(n)) {
        watch(conn, EV_READ);
        return false;
    }
    if (n < 0 || (n == 0 && conn->ended)) {
        cut(conn);
        return false;
    }
    if (conn->ended) return true; /* what is still under way to us: closing before it came would reset the client */
    if (n == 0)
        conn->session->ops->receive_end(conn->session);
    else if (conn->session->ops->receive(conn->session, in, (size_t)n) != ERR_OK)
        cut(conn);
    return conn->fd >= 0;
}

static bool step(struct monitor_conn *conn)
{
    const struct session_ops *ops = conn->session->ops;
    if (conn->out_at < conn->out_len) return flush(conn);
    conn->out_at = conn->out_len = 0;
    if (!conn->ended) conn->out_len = ops->produce(conn->session, conn->out, sizeof conn->out);
    if (conn->out_len > 0) return true;
    if (!conn->ended && (ops->wants(conn->session) & SESSION_CLOSE) != 0) {
        conn->ended = true;
        shutdown(conn->fd, SHUT_WR);
    }
    return take(conn);
}

static void run(struct monitor_conn *conn)
{
    enum { STEPS = 64 };
    int steps = 0;
    while (conn->fd >= 0 && steps < STEPS && step(conn)) steps++;
    if (steps == STEPS && conn->fd >= 0) watch(conn, EV_READ | EV_WRITE); /* the others first */
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    run(watcher->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    cut(watcher->data);
}

/* session_host.wake: nothing here is answered later. */
static void on_wake(void *context)
{
    (void)context;
}

/* A free place, or that of the one which has had the longest time. */
static struct monitor_conn *place_for(struct monitor *monitor)
{
    struct monitor_conn *oldest = &monitor->conns[0];
    for (size_t i = 0; i < LIMIT_MONITORS; i++) {
        struct monitor_conn *conn = &monitor->conns[i];
        if (conn->fd < 0) return conn;
        if (conn->number < oldest->number) oldest = conn;
    }
    cut(oldest);
    return oldest;
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct monitor *monitor = watcher->data;
    int fd = accept4(monitor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return; /* another worker has it */
    struct monitor_conn *conn = place_for(monitor);
    conn->fd = fd;
    conn->number = ++monitor->last_number;
    conn->ended = false;
    conn->out_at = conn->out_len = 0;
    ev_timer_set(&conn->timer, DEADLINE_MONITOR_MS / 1e3, 0);
    ev_timer_start(loop, &conn->timer);
    if (monitor->asked) return;
    monitor->asked = true;
    monitor->ask(monitor->context);
}

struct monitor *monitor_new(struct ev_loop *loop, void (*ask)(void *context), void *context)
{
    struct diag diag = {{0}};
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) return NULL;
    *monitor = (struct monitor){.loop = loop, .ask = ask, .context = context, .fd = -1};
    snprintf(monitor->peer.address, sizeof monitor->peer.address, "monitor");
    monitor->peer.protocol = monitor->peer.cipher = monitor->peer.group = monitor->peer.alpn = "";
    const struct http_site_config config = {
        .root_fd = -1, .uploads_fd = -1, .access = ACCESS_NONE, .monitored = &monitor->monitored};
    if (http_site_open(&monitor->site, &config, &diag) != ERR_OK) {
        free(monitor);
        return NULL;
    }
    ev_init(&monitor->io, on_connection);
    monitor->io.data = monitor;
    for (size_t i = 0; i < LIMIT_MONITORS; i++) {
        struct monitor_conn *conn = &monitor->conns[i];
        conn->monitor = monitor;
        conn->fd = -1;
        ev_init(&conn->io, on_io);
        ev_init(&conn->timer, on_timer);
        conn->io.data = conn->timer.data = conn;
    }
    return monitor;
}

void monitor_close(struct monitor *monitor)
{
    for (size_t i = 0; i < LIMIT_MONITORS; i++) cut(&monitor->conns[i]);
    if (monitor->fd < 0) return;
    ev_io_stop(monitor->loop, &monitor->io);
    close(monitor->fd);
    monitor->fd = -1;
}

void monitor_listen(struct monitor *monitor, int fd)
{
    monitor_close(monitor);
    monitor->fd = fd;
    ev_io_set(&monitor->io, fd, EV_READ);
    ev_io_start(monitor->loop, &monitor->io);
}

static void serve(struct monitor_conn *conn)
{
    const struct session_host host = {.wake = on_wake, .context = conn};
    if (conn->fd < 0 || conn->session != NULL) return;
    conn->session = http1_session_new(conn->monitor->site, &conn->monitor->peer, &host);
    if (conn->session == NULL)
        cut(conn);
    else
        run(conn);
}

void monitor_show(struct monitor *monitor, const struct metrics *metrics)
{
    char *text = malloc(metrics->text.len + 1);
    monitor->asked = false;
    if (text == NULL) return; /* who waits is cut off by the timer */
    if (metrics->text.len > 0) memcpy(text, metrics->text.data, metrics->text.len);
    free(monitor->monitored.text);
    monitor->monitored.text = text;
    monitor->monitored.text_len = metrics->text.len;
    snprintf(monitor->monitored.fault, sizeof monitor->monitored.fault, "%s", metrics->fault);
    for (size_t i = 0; i < LIMIT_MONITORS; i++) serve(&monitor->conns[i]);
}

void monitor_free(struct monitor *monitor)
{
    if (monitor == NULL) return;
    monitor_close(monitor);
    http_site_free(monitor->site);
    free(monitor->monitored.text);
    free(monitor);
}
