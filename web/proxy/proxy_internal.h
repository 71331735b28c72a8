/* Between the pool of connections (proxy.c) and those who use them (relay.c). */
#ifndef KEYWARD_WEB_PROXY_PROXY_INTERNAL_H
#define KEYWARD_WEB_PROXY_PROXY_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/log_rate.h"
#include "web/proxy/proxy.h"
#include "web/proxy/relay.h"

/* A connection to an application. */
struct upstream {
    struct proxy *proxy;
    struct upstream *prev, *next; /* among the idle ones of its route, or those whose handshake runs */
    struct relay *relay;          /* NULL: idle, or in its handshake */
    uint32_t route;
    int fd;
    bool used; /* it has carried an answer: whoever takes it may find it closed */
    ev_io io;
    ev_timer timer;        /* of an idle one, or of a handshake */
    struct tlsclient *tls; /* NULL: it is plain */
    uint64_t asked;        /* the handshake runs, for this id; 0: it is complete, or there is none */
    bool awaits_keyd;
    bool failed;         /* TLS has, and proxy_tls_explain says why */
    uint32_t generation; /* of the handle that it was made with */
};

/* How a route to an application that is elsewhere stands. */
enum proxy_tls_state {
    PROXY_TLS_AWAITED, /* there is no handle yet, or none any more because keyd has ended: requests wait */
    PROXY_TLS_READY,
    PROXY_TLS_DENIED, /* there is none, and why: requests fail */
};

struct proxy_tls {
    struct proxy *proxy;
    enum proxy_tls_state state;
    char why[LIMIT_TEXT + 1];
    struct tlsclient_server *server;
    struct tlsclient_signer *signer;
    ev_io io; /* the handle's */
    uint32_t generation;
    struct upstream *shaking; /* connections whose handshake runs */
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
    struct proxy_tls tls[LIMIT_PROXIES];    /* the same */
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

/* proxy_log says on the log what is wrong with an application; request: whose request failed, NULL: nobody waits. */
void proxy_log(struct proxy *proxy, uint32_t route, const char *what, const char *why, const char *request);

/* ---- upstream.c ---- */

/* upstream_new takes fd unless it returns NULL: no memory. */
struct upstream *upstream_new(struct proxy *proxy, uint32_t route, int fd);

/* upstream_close closes it. */
void upstream_close(struct upstream *upstream);

/* These as read(2) and sendmsg(2) of two pieces, where EPROTO is a failure of TLS. After EAGAIN the next piece to be sent is
 * the same, or longer. */
ssize_t upstream_read(struct upstream *upstream, uint8_t *out, size_t cap);
ssize_t upstream_write(struct upstream *upstream, struct bytes head, struct bytes body);

/* upstream_end: nothing more is sent. */
void upstream_end(struct upstream *upstream);

/* upstream_is_spoilt says of one that waits whether it is of no use: closed by the application, or it says what nobody asked
 * for, which would be the answer to another's question. */
bool upstream_is_spoilt(struct upstream *upstream);

/* upstream_watch says which events of the connection relay_io is to be called for: EV_READ, EV_WRITE, both or 0. */
void upstream_watch(struct upstream *upstream, int events);

/* ---- proxy_tls.c ---- */

void proxy_tls_init(struct proxy *proxy);
void proxy_tls_cleanup(struct proxy *proxy);

/* proxy_tls_is_awaited: nothing can be said on the route now, but soon. */
bool proxy_tls_is_awaited(const struct proxy *proxy, uint32_t route);

/* proxy_tls_is_stale: the handle that the connection was made with is gone. */
bool proxy_tls_is_stale(const struct upstream *upstream);

/* proxy_tls_begin begins the handshake of a connection that was asked for under id; proxy_complete, proxy_no_tls or proxy_forget_ask
 * ends it. proxy_tls_shake goes on with it, proxy_tls_late ends it. */
void proxy_tls_begin(struct upstream *upstream, uint64_t id);
void proxy_tls_shake(struct upstream *upstream);
void proxy_tls_late(struct upstream *upstream);

/* proxy_tls_explain says why a connection has failed. */
void proxy_tls_explain(const struct upstream *upstream, struct diag *diag);

/* ---- called by upstream.c and proxy_tls.c ---- */

void proxy_on_io(struct ev_loop *loop, ev_io *watcher, int events);
void proxy_on_timer(struct ev_loop *loop, ev_timer *watcher, int events);
void proxy_complete(struct upstream *upstream, uint64_t id);
void proxy_no_tls(struct proxy *proxy, uint64_t id, const char *why);
void proxy_forget_ask(struct proxy *proxy, uint64_t id);
void proxy_ask_for_all(struct proxy *proxy);
void proxy_close_idle(struct proxy *proxy, uint32_t route);

/* ---- called by proxy.c ---- */

enum relay_lack { RELAY_NO_CONNECTION, RELAY_NO_TLS };

void relay_connected(struct relay *relay, struct upstream *upstream);
void relay_not_connected(struct relay *relay, enum relay_lack lack);
void relay_io(struct relay *relay, int events);

#endif
