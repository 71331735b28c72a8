/* One request and its response, between the protocols (http1.c, http2.c) and the routes.
 *
 *   init, listen -> (request fields) -> begin -> body* -> trailer* -> end -> [commit] -> response -> cleanup
 *
 * At any point a fault may make a response at once, by exchange_refuse; what still comes of the request is then of no
 * interest. After each call the protocol looks at exchange_has_response. */
#ifndef KEYWARD_WEB_HTTP_EXCHANGE_H
#define KEYWARD_WEB_HTTP_EXCHANGE_H

#include "web/http/request.h"
#include "web/http/response.h"
#include "web/http/site.h"
#include "web/session.h"

struct answer;
struct relay;
struct route;
struct upload;

/* Whether the connection can be used for another request. HTTP/2 does not ask. */
enum exchange_after { AFTER_KEEP, AFTER_CLOSE };

struct exchange {
    struct http_site *site;
    const struct session_peer *peer;
    struct request request;
    struct response response;
    const struct route *route; /* NULL before begin, and if there is none */
    struct upload *upload;
    struct relay *relay; /* to an application; NULL: it is answered here */
    uint64_t body_limit;
    uint64_t body_len;
    uint64_t started_ms; /* 0: nothing has come yet; such an exchange leaves no trace in the log */
    enum exchange_after after;
    /* Called outside of any call to the exchange: a response has become available, more of a relayed one, or room for
     * more of a relayed request's body. */
    void (*ready)(void *context);
    /* Called likewise: an application says 100 or 103 before its answer (web/proxy/relay.h). */
    void (*interim)(void *context, const struct answer *answer);
    void *context;
};

void exchange_init(struct exchange *exchange, struct http_site *site, const struct session_peer *peer,
                   enum request_version version);

/* exchange_listen says who is told of what happens outside of any call. */
void exchange_listen(struct exchange *exchange, void (*ready)(void *context),
                     void (*interim)(void *context, const struct answer *answer), void *context);

/* exchange_start marks the moment of the request's first byte. */
void exchange_start(struct exchange *exchange);

/* exchange_begin: the header section is complete. */
void exchange_begin(struct exchange *exchange);

void exchange_body(struct exchange *exchange, struct bytes data);

/* exchange_trailer: a field of the section behind the body. Nobody here wants any; an application may. What is wrong with it. */
MUST_CHECK struct fault exchange_trailer(struct exchange *exchange, struct bytes name, struct bytes value);

/* exchange_end: the message is complete. */
void exchange_end(struct exchange *exchange);

/* exchange_refuse answers with the fault's status, and says why in the log. */
void exchange_refuse(struct exchange *exchange, struct fault fault);

/* exchange_is_relayed says whether an application answers, who is then to say whether the body is wanted. */
bool exchange_is_relayed(const struct exchange *exchange);

/* exchange_wants_body says whether the body's next part may come now. What comes nevertheless is taken. */
bool exchange_wants_body(const struct exchange *exchange);

/* exchange_unsent returns how many bytes of the request an application has yet to take. */
size_t exchange_unsent(const struct exchange *exchange);

/* exchange_has_more says whether a relayed response has something for the client now, be it its end. */
bool exchange_has_more(const struct exchange *exchange);

bool exchange_has_response(const struct exchange *exchange);

/* exchange_cleanup frees what the exchange holds, and writes its line to the access log. */
void exchange_cleanup(struct exchange *exchange);

#endif
