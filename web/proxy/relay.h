/* One request on its way to an application and the answer on its way back.
 *
 *   begin -> body* -> trailer* -> body_end          the request, as far as relay_wants_body says that there is room
 *         changed* -> answer -> read*   the answer, meanwhile or afterwards
 *
 * Nothing here calls changed or interim from within a call to it. */
#ifndef KEYWARD_WEB_PROXY_RELAY_H
#define KEYWARD_WEB_PROXY_RELAY_H

#include <stdbool.h>

#include "web/http/request.h"
#include "web/http/target.h"
#include "web/proxy/answer.h"
#include "web/proxy/proxy.h"
#include "web/session.h"

struct relay;

/* What the relay is for. Nothing of it is kept but the last three. */
struct relay_request {
    const struct request *request;
    const struct session_peer *peer;
    const char *request_id;
    void (*changed)(void *context); /* there is an answer, more of it, its end, or room for the request's body */
    /* There is an answer 100 or 103, which lives as long as the call; changed follows. NULL: nobody wants to know. */
    void (*interim)(void *context, const struct answer *answer);
    void *context;
};

/* relay_begin begins. ERR_INPUT: the request cannot be passed on. ERR_TOO_LARGE: too many requests wait. ERR_MEMORY. */
MUST_CHECK enum err relay_begin(struct relay **out, struct proxy *proxy, uint32_t route,
                                const struct relay_request *request);

/* relay_wants_body says whether more of the request's body may come. What comes nevertheless is taken. */
bool relay_wants_body(const struct relay *relay);

/* relay_unsent returns how many bytes of the request the application has not taken. */
size_t relay_unsent(const struct relay *relay);

/* relay_body takes some of the body. Without memory the relay fails, which changed tells. */
void relay_body(struct relay *relay, struct bytes data);

/* relay_trailer takes a field that is behind the body, if such can be passed on (RFC 9110, 6.5). What is wrong with it: 431, 503. */
MUST_CHECK struct fault relay_trailer(struct relay *relay, struct bytes name, struct bytes value);

/* relay_body_end: the request is complete. */
void relay_body_end(struct relay *relay);

/* After an answer 101 (WebSocket) relay_body and relay_body_end carry what the client says from then on, relay_read what
 * the application does. */

/* relay_answer returns the answer once its head is complete, until then NULL. It lives as long as the relay. */
const struct answer *relay_answer(const struct relay *relay);

/* relay_fault says why there is no answer, and never will be; status 0: nothing is wrong. */
struct fault relay_fault(const struct relay *relay);

/* relay_read takes the next bytes of the answer's body; *out_len is 0 with ERR_OK only at its end. ERR_AGAIN: nothing
 * there now. ERR_CLOSED: the application stopped in the middle; what it said so far has been read. */
MUST_CHECK enum err relay_read(struct relay *relay, uint8_t *out, size_t *out_len, size_t cap);

/* relay_has_content says whether relay_read has something to say, its end and its failure included. */
bool relay_has_content(const struct relay *relay);

/* relay_free gives up whatever is not done. NULL is allowed. */
void relay_free(struct relay *relay);

#endif
