/* The streams: listeners behind which there is no protocol, but an upstream that gets the plain bytes. This is what a
 * worker's streams share: where they lead, and the connections that are being made. web connects to nothing itself:
 * whoever makes a struct streams makes the connections (the broker does). One thread. */
#ifndef KEYWARD_WEB_STREAM_STREAMS_H
#define KEYWARD_WEB_STREAM_STREAMS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "web/http/access.h"
#include "web/session.h"

struct streams;

/* Where one listener leads. */
struct stream_route {
    char address[LIMIT_NAME + 1]; /* the listener's, as it is configured; this and the next for log lines */
    char upstream[LIMIT_STREAM_UPSTREAM + 1];
    uint32_t idle_ms;    /* without a byte either way */
    bool proxy_protocol; /* the upstream is told first who the client is (web/stream/proxy_header.h) */
};

struct streams_config {
    struct stream_route routes[LIMIT_STREAMS];
    size_t num_routes;
    enum access_format access; /* ACCESS_COMBINED has no form for streams: their lines are as for ACCESS_TEXT */
    unsigned connect_ms;       /* to the upstream, waiting for a place included */
    unsigned end_ms;           /* for a client that has been told the upstream's end, and says nothing more itself */
};

/* How connections are made: connect asks for one to the route with that index; streams_connected or
 * streams_not_connected answers, with the same id. Ids have the highest bit set. Never more than
 * LIMIT_STREAM_CONNECTING are asked for at a time. */
struct streams_host {
    void (*connect)(void *context, uint32_t route, uint64_t id);
    void (*log_line)(void *context, const char *line); /* of an access log that programs read */
    void *context;
};

#define STREAM_ID_BIT (UINT64_C(1) << 63)

/* streams_new copies the configuration. ERR_MEMORY; ERR_SYSTEM: no random numbers. */
MUST_CHECK enum err streams_new(struct streams **out, struct ev_loop *loop, const struct streams_config *config,
                                const struct streams_host *host);

/* streams_want_leaf says whether a session's peer has to come with its certificate. */
bool streams_want_leaf(const struct streams *streams);

/* streams_connected hands over a connected, non-blocking stream socket. */
void streams_connected(struct streams *streams, uint64_t id, int fd);

/* streams_not_connected: there is no connection; why is for the log. */
void streams_not_connected(struct streams *streams, uint64_t id, const char *why);

/* streams_free: no session may be left. NULL is allowed. */
void streams_free(struct streams *streams);

/* stream_session_new begins a stream to the route's upstream. local is the address that the client has reached, in the
 * form of peer->address; only looked at where the route has proxy_protocol. peer must outlive the session. NULL: no
 * memory.
 *
 * Each direction ends by itself: the client's close_notify becomes the upstream's end of input, the upstream's end
 * becomes a close_notify. What breaks off ends without one, so that nobody takes a part for the whole; towards the
 * upstream a TCP connection is reset then, and a Unix socket, which cannot be, is closed. */
struct session *stream_session_new(struct streams *streams, uint32_t route, const struct session_peer *peer,
                                   const char *local, const struct session_host *host);

#endif
