/* Between the pool of connections (proxy.c) and those who use them (relay.c). */
#ifndef KEYWARD_WEB_PROXY_PROXY_INTERNAL_H
#define KEYWARD_WEB_PROXY_PROXY_INTERNAL_H

#include <stdbool.h>

#include "base/log_rate.h"
#include "web/proxy/proxy.h"
#include "web/proxy/relay.h"

/* A connection to an application. */
struct upstream {
    struct proxy *proxy;
    struct upstream *prev, *next; /* among the idle ones of its route */
    struct relay *relay;          /* NULL: idle */
    uint32_t route;
    int fd;
    bool used; /* it has carried an answer: whoever takes it may find it closed */
    ev_io io;
    ev_timer idle;
};

struct proxy_list {
    struct upstream *idle; /* the one that was used last comes first */
    size_t num_idle;
    struct relay *first, *last; /* those that wait for a connection */
    size_t num_waiting;
    size_t num_asked; /* connections that are being made */
};

struct proxy {
    struct ev_loop *loop;
    struct proxy_config config;
    struct proxy_host host;
    struct proxy_list lists[LIMIT_PROXIES]; /* one for each route */
    size_t num_upstreams;
    size_t num_waiting;
    size_t num_asked;
    struct {
        uint64_t id; /* 0: free */
        uint32_t route;
    } asked[LIMIT_PROXY_CONNECTING];
    uint64_t last_id;
    struct log_rate log;
    uint8_t scratch[16384]; /* nothing in it outlives a call */
};

/* proxy_take_idle returns a connection that waits for a request, or NULL. */
struct upstream *proxy_take_idle(struct proxy *proxy, uint32_t route);

/* proxy_wait puts the relay into the queue for a connection; relay_connected or relay_not_connected is called later.
 * ERR_TOO_LARGE: too many wait. */
MUST_CHECK enum err proxy_wait(struct proxy *proxy, struct relay *relay);

/* proxy_stop_waiting takes it out of the queue. */
void proxy_stop_waiting(struct proxy *proxy, struct relay *relay);

/* proxy_give_back makes the connection idle, or gives it to the next relay that waits. */
void proxy_give_back(struct upstream *upstream);

/* upstream_close closes it. */
void upstream_close(struct upstream *upstream);

/* upstream_watch says which events of the connection relay_io is to be called for: EV_READ, EV_WRITE, both or 0. */
void upstream_watch(struct upstream *upstream, int events);

/* ---- called by proxy.c ---- */

void relay_connected(struct relay *relay, struct upstream *upstream);
void relay_not_connected(struct relay *relay);
void relay_io(struct relay *relay, int events);

#endif
