/* The inside of a relay, for this folder. */
#ifndef KEYWARD_WEB_PROXY_RELAY_INTERNAL_H
#define KEYWARD_WEB_PROXY_RELAY_INTERNAL_H

#include "web/http/request_id.h"
#include "web/proxy/proxy_internal.h"
#include "web/proxy/request_trailers.h"

struct relay {
    struct proxy *proxy;
    uint32_t route;
    struct relay *prev, *next; /* while it waits for a connection */
    bool waits;
    struct upstream *upstream; /* NULL: none yet, or none any more */
    void (*changed)(void *context);
    void (*interim)(void *context, const struct answer *answer);
    void *context;
    char request_id[REQUEST_ID_LEN + 1];

    /* The request. */
    bool may_retry; /* nothing is lost if it is asked twice, and all of it is in head */
    bool retried;
    bool chunked;
    bool ended;      /* the client has said all */
    bool tunnel;     /* the answer was 101: bytes go both ways, and are nobody's business here */
    bool expects;    /* the client waits to be told that its body is wanted */
    bool unsendable; /* the application takes no more; it may still answer */
    struct buffer head;
    size_t head_sent;
    struct buffer body;               /* as it is sent, chunk sizes included */
    struct request_trailers trailers; /* for behind the last chunk */

    /* The answer. */
    struct answer answer;
    struct buffer content;
    bool has_room;      /* what was waiting for a connection is sent; changed is to be called */
    struct fault fault; /* before the answer's head: the client's answer */
    bool broken;        /* there will be no more of the answer */

    uint64_t progress_ms; /* when something last moved between us and the application */
    uint64_t alarm;
    ev_timer timer;
};

#endif
