#include "web/proxy/proxy.h"

#include <stdlib.h>
#include <string.h>
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
        .tls_ms = DEADLINE_PROXY_TLS_MS,
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
    proxy_tls_init(proxy);
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
    ev_timer_stop(upstream->proxy->loop, &upstream->timer);
}

static void close_idle(struct upstream *upstream)
{
    leave_idle(upstream);
    upstream_close(upstream);
}

void proxy_close_idle(struct proxy *proxy, uint32_t route)
{
    while (proxy->lists[route].idle != NULL) close_idle(proxy->lists[route].idle);
}

/* An application that has something to say while nobody asks, or nothing more to say at all, is of no use. */
void proxy_on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    struct upstream *upstream = watcher->data;
    if (upstream->asked != 0)
        proxy_tls_shake(upstream);
    else if (upstream->relay != NULL)
        relay_io(upstream->relay, events);
    else if (upstream_is_spoilt(upstream))
        close_idle(upstream);
}

void proxy_on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct upstream *upstream = watcher->data;
    if (upstream->asked != 0)
        proxy_tls_late(upstream);
    else
        close_idle(upstream);
}

struct upstream *proxy_take_idle(struct proxy *proxy, uint32_t route)
{
    struct proxy_list *list = &proxy->lists[route];
    while (list->idle != NULL && upstream_is_spoilt(list->idle)) close_idle(list->idle);
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
void proxy_ask_for_all(struct proxy *proxy)
{
    bool asked = true;
    while (asked) {
        asked = false;
        for (uint32_t i = 0; i < proxy->config.num_routes; i++) {
            const struct proxy_list *list = &proxy->lists[i];
            if (list->num_waiting <= list->num_asked || proxy_tls_is_awaited(proxy, i)) continue;
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
    proxy_ask_for_all(proxy);
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
    if (proxy_tls_is_stale(upstream)) {
        upstream_close(upstream);
        proxy_ask_for_all(proxy);
        return;
    }
    /* One that nobody waits for is looked at when it is taken. */
    if (list->first != NULL && upstream->used && upstream_is_spoilt(upstream)) {
        upstream_close(upstream);
        proxy_ask_for_all(proxy);
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
    ev_timer_set(&upstream->timer, proxy->config.deadlines.idle_ms / 1e3, 0);
    ev_timer_start(proxy->loop, &upstream->timer);
}

/* The route that the id was asked for; -1: it was not. */
static int route_of_ask(const struct proxy *proxy, uint64_t id)
{
    for (size_t i = 0; i < LIMIT_PROXY_CONNECTING; i++) {
        if (id != 0 && proxy->asked[i].id == id) return (int)proxy->asked[i].route;
    }
    return -1;
}

/* It is answered. */
void proxy_forget_ask(struct proxy *proxy, uint64_t id)
{
    for (size_t i = 0; i < LIMIT_PROXY_CONNECTING; i++) {
        if (id == 0 || proxy->asked[i].id != id) continue;
        proxy->asked[i].id = 0;
        proxy->num_asked--;
        proxy->lists[proxy->asked[i].route].num_asked--;
    }
}

void proxy_complete(struct upstream *upstream, uint64_t id)
{
    struct proxy *proxy = upstream->proxy;
    proxy_forget_ask(proxy, id);
    proxy_give_back(upstream);
    proxy_ask_for_all(proxy);
}

void proxy_connected(struct proxy *proxy, uint64_t id, int fd)
{
    const int route = route_of_ask(proxy, id);
    struct upstream *upstream = route >= 0 ? upstream_new(proxy, (uint32_t)route, fd) : NULL;
    if (upstream == NULL) {
        proxy_forget_ask(proxy, id);
        close(fd);
        return; /* who waits for it has a deadline */
    }
    if (proxy->config.routes[route].tls)
        proxy_tls_begin(upstream, id);
    else
        proxy_complete(upstream, id);
}

void proxy_log(struct proxy *proxy, uint32_t route, const char *what, const char *why, const char *request)
{
    uint64_t withheld;
    const struct proxy_route *to = &proxy->config.routes[route];
    if (!log_rate_admit(&proxy->log, &withheld, clock_monotonic_ms(), LOG_LINES_PER_SECOND)) return;
    log_error("%s prefix=%s upstream=%s reason=%s request=%s withheld=%llu", what, log_quote(to->prefix),
              log_quote(to->upstream), log_quote(why), request != NULL ? request : "-", (unsigned long long)withheld);
}

static void answer_without(struct proxy *proxy, uint64_t id, enum relay_lack lack, const char *why)
{
    static const char *const what[] = {
        [RELAY_NO_CONNECTION] = "no connection to the application", [RELAY_NO_TLS] = "no TLS with the application"};
    const int route = route_of_ask(proxy, id);
    if (route < 0) return;
    proxy_forget_ask(proxy, id);
    struct relay *relay = next_waiting(proxy, (uint32_t)route);
    proxy_log(proxy, (uint32_t)route, what[lack], why, relay != NULL ? relay->request_id : NULL);
    if (relay != NULL) relay_not_connected(relay, lack);
    proxy_ask_for_all(proxy);
}

void proxy_not_connected(struct proxy *proxy, uint64_t id, const char *why)
{
    answer_without(proxy, id, RELAY_NO_CONNECTION, why);
}

void proxy_no_tls(struct proxy *proxy, uint64_t id, const char *why)
{
    answer_without(proxy, id, RELAY_NO_TLS, why);
}

void proxy_free(struct proxy *proxy)
{
    if (proxy == NULL) return;
    CHECK(proxy->num_waiting == 0);
    for (uint32_t i = 0; i < LIMIT_PROXIES; i++) proxy_close_idle(proxy, i);
    proxy_tls_cleanup(proxy);
    CHECK(proxy->num_upstreams == 0);
    free(proxy);
}
