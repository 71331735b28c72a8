/* An application's answer: HTTP/1.1 responses (RFC 9112) read as strictly as requests are, since an answer that two
 * readers end at different places is somebody else's answer. The lines pass web/http/http1_scan.h. */
#ifndef KEYWARD_WEB_PROXY_ANSWER_H
#define KEYWARD_WEB_PROXY_ANSWER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/limits.h"
#include "web/http/buffer.h"
#include "web/http/header_table.h"
#include "web/http/http1_scan.h"
#include "web/proxy/fields.h"

/* How the end of the body is known (RFC 9112, 6.3). */
enum answer_body {
    ANSWER_NO_BODY,
    ANSWER_LENGTH,
    ANSWER_CHUNKED,
    ANSWER_TO_END, /* the connection's end is the body's */
};

/* Those before the answer that are between the ends (RFC 9110, 15.2.1; RFC 8297). */
enum { ANSWER_CONTINUE = 100, ANSWER_EARLY_HINTS = 103 };

/* To what it is the answer. */
enum answer_to {
    ANSWER_TO_ANY,
    ANSWER_TO_HEAD,    /* has no body, whatever its fields say */
    ANSWER_TO_UPGRADE, /* may be 101; what follows that is no HTTP */
};

struct answer {
    /* Once head_complete: */
    unsigned status; /* 200 to 599, or 101 */
    enum answer_body body;
    bool has_length;
    uint64_t length;  /* what Content-Length says, also where there is no body */
    bool keeps_alive; /* the connection can be used again when the answer is complete */
    struct header_table_field fields[LIMIT_HTTP_FIELDS]; /* those that the client is to have */
    size_t num_fields;
    /* Once complete, and only if takes_trailers is set: */
    struct header_table_field trailers[LIMIT_HTTP_TRAILERS];
    size_t num_trailers;

    bool begun; /* a byte has come, be it of a 1xx */
    bool head_complete;
    bool complete;
    const char *fault; /* a constant: what is wrong with it */

    /* Called with each of these that comes before the answer, with its status and fields; NULL: nobody wants to know. */
    void (*interim)(void *context, const struct answer *answer);
    void *context;

    enum answer_to to;
    bool takes_trailers; /* whoever has the answer wants to know what is behind its body */
    struct buffer head;  /* what fields points into */
    struct buffer tail;  /* what trailers points into */
    struct fields_nominated nominated;
    struct scan scan;
    uint64_t left; /* of a body with a length, or of a chunk */
    uint64_t chunk_len;
    unsigned num_interim;
};

void answer_init(struct answer *answer, enum answer_to to);
void answer_cleanup(struct answer *answer);

/* answer_receive takes data up to the end of the answer, *out_used bytes of it, and appends what is of the body to
 * content, which never holds more than max. Of the answers 1xx but 101 interim is told, or nobody. ERR_MALFORMED: see fault; ERR_MEMORY. */
MUST_CHECK enum err answer_receive(struct answer *answer, struct buffer *content, size_t *out_used, struct bytes data,
                                   size_t max);

/* answer_end: the application has closed the connection. ERR_CLOSED: before the answer was complete. */
MUST_CHECK enum err answer_end(struct answer *answer);

#endif
