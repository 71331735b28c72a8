/* The gateway: a browser that cannot use a key in keyd speaks plain HTTP with it inside their private network, and it
 * speaks mutual TLS with web, with a handle for the handshakes that it shows to keyd (docs/adr/0027).
 *
 * It carries bytes. Each connection of the browser's is one to web, over HTTP/1.1, and all that HTTP means is between
 * those two: streams, uploads, WebSockets, keep-alive. A side that does not read holds the other one up, with at most
 * LIMIT_GATEWAY_BUFFER bytes in between each way. Only where web cannot be spoken to does the gateway answer by itself:
 * 503, with a page that tries again.
 *
 * One thread, one loop; nothing waits. SIGPIPE has to be ignored. */
#ifndef KEYWARD_BROWSER_SHIM_GATEWAY_GATEWAY_H
#define KEYWARD_BROWSER_SHIM_GATEWAY_GATEWAY_H

#include <ev.h>
#include <stdint.h>

#include "base/err.h"

struct gateway;

struct gateway_config {
    int listener;     /* the browser's, non-blocking; stays the caller's, and has to live as long as the gateway */
    const char *host; /* whom web's certificate has to name; at most LIMIT_NAME bytes */
    uint16_t port;    /* where web listens, on 127.0.0.1 */
    unsigned max_connections;
    uint32_t handshake_ms; /* with web, from the browser's connection on */
    uint32_t half_ms;      /* a connection of which the browser has ended its half, without a byte */
    uint32_t linger_ms;    /* for the browser to end its half when the other has ended */
};

/* gateway_config_usual has the limits of base/limits.h; the first three fields are the caller's. */
extern const struct gateway_config gateway_config_usual;

/* gateway_new makes one that accepts as soon as it has a key; the host is copied. ERR_MEMORY. */
MUST_CHECK enum err gateway_new(struct gateway **out, struct ev_loop *loop, const struct gateway_config *config);

/* gateway_free ends all connections. NULL is allowed. */
void gateway_free(struct gateway *gateway);

/* gateway_take_handle makes the handle (LINK_SIGN_GATEWAY, pinned to this process), which is the gateway's from then on, the one
 * for all handshakes that begin after keyd has described it; its predecessor is closed when nobody waits for it. What
 * becomes of it is logged. */
void gateway_take_handle(struct gateway *gateway, int handle);

/* gateway_connections returns how many of the browser's there are. */
unsigned gateway_connections(const struct gateway *gateway);

#endif
