/* The way to the applications behind this server: which prefix leads to which, and the connections to them. It lives
 * beside the event loop; sessions use it through web/proxy/relay.h and see no socket. web connects to nothing itself:
 * whoever makes a struct proxy makes the connections (the broker does). One thread. */
#ifndef KEYWARD_WEB_PROXY_PROXY_H
#define KEYWARD_WEB_PROXY_PROXY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "tlsclient/tlsclient.h"

struct proxy;

struct proxy_deadlines {
    unsigned connect_ms;
    unsigned tls_ms;    /* for the handshake with one that is elsewhere */
    unsigned write_ms;  /* for an application that takes nothing */
    unsigned answer_ms; /* to its answer's head */
    unsigned body_ms;   /* between bytes of its answer */
    unsigned tunnel_ms; /* without a byte either way, after an upgrade */
    unsigned idle_ms;   /* of a connection that waits for a request */
};

/* proxy_deadlines_default returns those of base/limits.h. */
struct proxy_deadlines proxy_deadlines_default(void);

/* One prefix of paths and where it leads. */
struct proxy_route {
    char prefix[LIMIT_PROXY_PREFIX + 1];     /* begins with '/' */
    char upstream[LIMIT_PROXY_UPSTREAM + 1]; /* for log lines */
    bool tls;                                /* nothing is said there but over TLS, with a handle (proxy_take_handle) */
    char authority[LIMIT_PROXY_UPSTREAM + 1]; /* what its Host field says; empty: what the client's says */
};

struct proxy_config {
    struct proxy_route routes[LIMIT_PROXIES];
    size_t num_routes;
    struct proxy_deadlines deadlines;
};

/* How connections are made. connect asks for one to the route with that index; proxy_connected or proxy_not_connected
 * answers, with the same id. Never more than LIMIT_PROXY_CONNECTING are asked for at a time. */
struct proxy_host {
    void (*connect)(void *context, uint32_t route, uint64_t id);
    void *context;
};

/* proxy_new copies the configuration. NULL: no memory. */
struct proxy *proxy_new(struct ev_loop *loop, const struct proxy_config *config, const struct proxy_host *host);

/* proxy_find returns the index of the route with the longest prefix that path begins with, -1 if there is none. A
 * prefix that does not end in '/' takes itself and what is below it, not its longer neighbours. */
int proxy_find(const struct proxy *proxy, const char *path);

/* proxy_connected hands over a connected, non-blocking stream socket. */
void proxy_connected(struct proxy *proxy, uint64_t id, int fd);

/* proxy_not_connected: there is no connection; why is for the log. */
void proxy_not_connected(struct proxy *proxy, uint64_t id, const char *why);

/* proxy_take_handle has connections to a route with TLS made for config's server, signed with handle, which is the proxy's
 * from then on. What was made with another one carries no further request. */
void proxy_take_handle(struct proxy *proxy, uint32_t route, const struct tlsclient_config *config, int handle);

/* proxy_deny: there is no handle for the route, and why; requests fail with that until there is one. Until either is called
 * they wait. */
void proxy_deny(struct proxy *proxy, uint32_t route, const char *why);

/* proxy_num_idle counts the connections that wait for a request. */
size_t proxy_num_idle(const struct proxy *proxy);

/* proxy_free closes all connections. No relay may be left. NULL is allowed. */
void proxy_free(struct proxy *proxy);

#endif
