/* The access log: what one request was, as one line. Whatever a client sends, a line stays one line, is printable ASCII,
 * is never longer than ACCESS_LINE, and, as JSON, is JSON (RFC 8259). */
#ifndef KEYWARD_WEB_HTTP_ACCESS_H
#define KEYWARD_WEB_HTTP_ACCESS_H

#include <stddef.h>
#include <stdint.h>

#include "web/http/request_id.h"

#define ACCESS_LINE 4096u /* with its NUL: with a line's end instead it is one atomic write to a pipe */

enum access_format {
    ACCESS_TEXT,     /* as all other log lines; the default */
    ACCESS_JSON,     /* one object a line */
    ACCESS_COMBINED, /* NCSA's combined format, the client certificate's subject as the user, and the request's id */
    ACCESS_NONE,
};

/* Texts may be NULL, of any length, and in any bytes: what is too long is cut and ends in "...", what is not UTF-8 or a
 * control character becomes "?" (JSON) or \xHH (combined). */
struct access_record {
    uint64_t time_ms; /* of the answer, since the epoch */
    uint64_t duration_ms;
    char request_id[REQUEST_ID_LEN + 1];
    const char *peer;    /* with its port */
    const char *subject; /* of its certificate */
    const char *serial;
    const char *method;
    const char *path;     /* decoded, without the query, which may hold what is nobody's business */
    const char *protocol; /* "HTTP/1.1" */
    unsigned status;
    uint64_t bytes; /* of the body */
    const char *referer;
    const char *user_agent;
};

/* What one stream was. Texts as above. */
struct access_stream {
    uint64_t time_ms; /* of its end, since the epoch */
    uint64_t duration_ms;
    const char *id;
    const char *peer;
    const char *subject;
    const char *serial;
    const char *listener;
    const char *upstream;
    uint64_t from_client; /* bytes */
    uint64_t to_client;
    const char *end; /* how it ended */
};

void access_stream_json(char out[ACCESS_LINE], const struct access_stream *record);

/* access_json and access_combined write a line without its end. */
void access_json(char out[ACCESS_LINE], const struct access_record *record);
void access_combined(char out[ACCESS_LINE], const struct access_record *record);

#endif
