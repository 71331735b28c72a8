#include "web/proxy/proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "web/proxy/proxy_internal.h"
#include "web/proxy/relay_internal.h"

enum { LOG_LINES_PER_SECOND = 5 };

struct proxy_deadlines proxy_deadlines_default(void)
{
    return (struct proxy_deadlines){
        .connect_ms = DEADLINE_PROXY_CONNECT_MS,
        .write_ms = DEADLINE_PROXY_WRITE_MS,
        .answer_ms = DEADLINE_PROXY_ANSWER_MS,
        .body_ms = DEADLINE_PROXY_BODY_MS,
        .tunnel_ms = DEADLINE_PROXY_TUNNEL_MS,
        .idle_ms = DEADLINE_PROXY_IDLE_MS,
    };
}

struct proxy *proxy_new(struct ev_loop *loop, const struct proxy_config *config, const struct proxy_host *host)
{
    CHECK(config->num_routes <= LIMIT_PROXIES);
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    if (proxy == NULL) return NULL;
    proxy->loop = loop;
    proxy->config = *config;
    proxy->host = *host;
    return proxy;
}

int proxy_find(const struct proxy *proxy, const char *path)
{
    int found = -1;
    size_t longest = 0;
    for (size_t i = 0; i < proxy->config.num_routes; i++) {
        const char *prefix = proxy->config.routes[i].prefix;
        size_t len = strlen(prefix);
        if (len <= longest || strncmp(path, prefix, len) != 0) continue;
        if (prefix[len - 1] != '/' && path[len] != '/' && path[len] != '\0') continue;
        found = (int)i;
        longest = len;
    }
    return found;
}

/* ---- Connections ---- */

void upstream_watch(struct upstream *upstream, int events)
{
    struct ev_loop *loop = upstream->proxy->loop;
    int active = ev_is_active(&upstream->io) ? upstream->io.events & (EV_READ | EV_WRITE) : 0;
    if (active == events) return;
    ev_io_stop(loop, &upstream->io);
    if (events == 0) return;
    ev_io_set(&upstream->io, upstream->fd, events);
    ev_io_start(loop, &upstream->io);
}

void upstream_close(struct upstream *upstream)
{
    struct proxy *proxy = upstream->proxy;
    ev_io_stop(proxy->loop, &upstream->io);
    ev_timer_stop(proxy->loop, &upstream->idle);
    close(upstream->fd);
    free(upstream);
    proxy->num_upstreams--;
}

static void leave_idle(struct upstream *upstream)
{
    struct proxy_list *list = &upstream->proxy->lists[upstream->route];
    if (upstream->prev != NULL)
        upstream->prev->next = upstream->next;
    else
        list->idle = upstream->next;
    if (upstream->next != NULL) upstream->next->prev = upstream->prev;
    upstream->prev = upstream->next = NULL;
    list->num_idle--;
    ev_timer_stop(upstream->proxy->loop, &upstream->idle);
}

static void close_idle(struct upstream *upstream)
{
    leave_idle(upstream);
    upstream_close(upstream);
}

/* An application that has something to say while nobody asks, or nothing more to say at all, is of no use. */
static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    struct upstream *upstream = watcher->data;
    if (upstream->relay != NULL)
        relay_io(upstream->relay, events);
    else
        close_idle(upstream);
}

static void on_idle_over(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    close_idle(watcher->data);
}

/* Closed by the application, or it says what nobody asked for: that would be the answer to another's question. */
static bool is_spoilt(const struct upstream *upstream)
{
    char byte;
    ssize_t got = recv(upstream->fd, &byte, 1, MSG_PEEK);
    return got >= 0 || errno != EAGAIN;
}

struct upstream *proxy_take_idle(struct proxy *proxy, uint32_t route)
{
    struct proxy_list *list = &proxy->lists[route];
    while (list->idle != NULL && is_spoilt(list->idle)) close_idle(list->idle);
    struct upstream *upstream = list->idle;
    if (upstream != NULL) leave_idle(upstream);
    return upstream;
}

size_t proxy_num_idle(const struct proxy *proxy)
{
    size_t num = 0;
    for (size_t i = 0; i < proxy->config.num_routes; i++) num += proxy->lists[i].num_idle;
    return num;
}

/* ---- Waiting for one ---- */

static bool make_room(struct proxy *proxy)
{
    if (proxy->num_upstreams + proxy->num_asked < LIMIT_PROXY_CONNECTIONS) return true;
    for (size_t i = 0; i < proxy->config.num_routes; i++) {
        if (proxy->lists[i].idle == NULL) continue;
        close_idle(proxy->lists[i].idle);
        return true;
    }
    return false;
}

static void ask(struct proxy *proxy, uint32_t route)
{
    size_t i = 0;
    while (proxy->asked[i].id != 0) i++;
    proxy->asked[i].id = ++proxy->last_id;
    proxy->asked[i].route = route;
    proxy->num_asked++;
    proxy->lists[route].num_asked++;
    proxy->host.connect(proxy->host.context, route, proxy->last_id);
}

/* Each relay that waits is worth a connection that is being made. */
static void ask_for_all(struct proxy *proxy)
{
    bool asked = true;
    while (asked) {
        asked = false;
        for (uint32_t i = 0; i < proxy->config.num_routes; i++) {
            const struct proxy_list *list = &proxy->lists[i];
            if (list->num_waiting <= list->num_asked) continue;
            if (proxy->num_asked == LIMIT_PROXY_CONNECTING || !make_room(proxy)) return;
            ask(proxy, i);
            asked = true;
        }
    }
}

enum err proxy_wait(struct proxy *proxy, struct relay *relay)
{
    struct proxy_list *list = &proxy->lists[relay->route];
    if (proxy->num_waiting == LIMIT_PROXY_WAITING) return ERR_TOO_LARGE;
    relay->waits = true;
    relay->next = NULL;
    relay->prev = list->last;
    if (list->last != NULL)
        list->last->next = relay;
    else
        list->first = relay;
    list->last = relay;
    list->num_waiting++;
    proxy->num_waiting++;
    ask_for_all(proxy);
    return ERR_OK;
}

void proxy_stop_waiting(struct proxy *proxy, struct relay *relay)
{
    struct proxy_list *list = &proxy->lists[relay->route];
    if (!relay->waits) return;
    relay->waits = false;
    if (relay->prev != NULL)
        relay->prev->next = relay->next;
    else
        list->first = relay->next;
    if (relay->next != NULL)
        relay->next->prev = relay->prev;
    else
        list->last = relay->prev;
    list->num_waiting--;
    proxy->num_waiting--;
}

/* The first in the queue, which leaves it; NULL if nobody waits. */
static struct relay *next_waiting(struct proxy *proxy, uint32_t route)
{
    struct relay *relay = proxy->lists[route].first;
    if (relay != NULL) proxy_stop_waiting(proxy, relay);
    return relay;
}

void proxy_give_back(struct upstream *upstream)
{
    struct proxy *proxy = upstream->proxy;
    struct proxy_list *list = &proxy->lists[upstream->route];
    upstream->relay = NULL;
    /* One that nobody waits for is looked at when it is taken. */
    if (list->first != NULL && upstream->used && is_spoilt(upstream)) {
        upstream_close(upstream);
        ask_for_all(proxy);
        return;
    }
    struct relay *relay = next_waiting(proxy, upstream->route);
    if (relay != NULL) {
        relay_connected(relay, upstream);
        return;
    }
    if (list->num_idle == LIMIT_PROXY_IDLE) {
        upstream_close(upstream);
        return;
    }
    upstream->next = list->idle;
    if (list->idle != NULL) list->idle->prev = upstream;
    list->idle = upstream;
    list->num_idle++;
    upstream_watch(upstream, EV_READ);
    ev_timer_set(&upstream->idle, proxy->config.deadlines.idle_ms / 1e3, 0);
    ev_timer_start(proxy->loop, &upstream->idle);
}

/* Whether the id was asked for; it is then answered. */
static bool end_ask(struct proxy *proxy, uint64_t id, uint32_t *out_route)
{
    for (size_t i = 0; i < LIMIT_PROXY_CONNECTING; i++) {
        if (id == 0 || proxy->asked[i].id != id) continue;
        proxy->asked[i].id = 0;
        *out_route = proxy->asked[i].route;
        proxy->num_asked--;
        proxy->lists[*out_route].num_asked--;
        return true;
    }
    return false;
}

void proxy_connected(struct proxy *proxy, uint64_t id, int fd)
{
    static const int on = 1;
    uint32_t route;
    struct upstream *upstream = end_ask(proxy, id, &route) ? calloc(1, sizeof(*upstream)) : NULL;
    if (upstream == NULL) {
        close(fd);
        return; /* who waits for it has a deadline */
    }
    /* Not for Unix sockets, which have nothing to delay. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    upstream->proxy = proxy;
    upstream->route = route;
    upstream->fd = fd;
    ev_init(&upstream->io, on_io);
    ev_init(&upstream->idle, on_idle_over);
    upstream->io.data = upstream->idle.data = upstream;
    proxy->num_upstreams++;
    proxy_give_back(upstream);
    ask_for_all(proxy);
}

void proxy_not_connected(struct proxy *proxy, uint64_t id, const char *why)
{
    uint32_t route;
    uint64_t withheld;
    if (!end_ask(proxy, id, &route)) return;
    if (log_rate_admit(&proxy->log, &withheld, clock_monotonic_ms(), LOG_LINES_PER_SECOND))
        log_error("no connection to the application prefix=%s upstream=%s reason=%s withheld=%llu",
                 log_quote(proxy->config.routes[route].prefix), log_quote(proxy->config.routes[route].upstream),
                 log_quote(why), (unsigned long long)withheld);
    struct relay *relay = next_waiting(proxy, route);
    if (relay != NULL) relay_not_connected(relay);
    ask_for_all(proxy);
}

void proxy_free(struct proxy *proxy)
{
    if (proxy == NULL) return;
    CHECK(proxy->num_waiting == 0);
    for (size_t i = 0; i < LIMIT_PROXIES; i++) {
        while (proxy->lists[i].idle != NULL) close_idle(proxy->lists[i].idle);
    }
    CHECK(proxy->num_upstreams == 0);
    free(proxy);
}
