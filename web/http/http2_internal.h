/* The inside of an HTTP/2 session, for http2.c and http2_stream.c. */
#ifndef KEYWARD_WEB_HTTP_HTTP2_INTERNAL_H
#define KEYWARD_WEB_HTTP_HTTP2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "web/http/exchange.h"
#include "web/http/http2.h"
#include "web/http/meter.h"

struct http2_stream {
    struct http2 *http2;
    struct http2_stream *next;
    struct http2_stream **link; /* what points to this one */
    int32_t id;
    bool request_ended;
    bool submitted;       /* the response is nghttp2's */
    bool committing;      /* the answer waits for the disk, or for an application */
    bool awaits_continue; /* the client does, and it is the application's to say */
    bool deferred;        /* nghttp2 waits for more of the body */
    size_t unconsumed;    /* bytes of the request's body for which the client has not been given new room */
    uint64_t progress_ms; /* when content last moved, either way */
    size_t headers_len;   /* of all fields, as in RFC 9113, 6.5.2 */
    struct exchange exchange;
};

struct http2 {
    struct session session;
    struct http_site *site;
    const struct session_peer *peer;
    struct session_host host;
    nghttp2_session *nghttp2;
    struct http2_stream *streams;
    size_t num_streams;
    size_t num_committing;
    struct meter resets;   /* streams that ended by an error, whoever said so */
    struct meter controls; /* frames that make work and carry nothing */
    const char *flood;     /* why the connection was cut, if for a flood */
    uint64_t progress_ms;  /* when a request last came or ended */
    uint64_t received_len; /* bytes */
    uint64_t useful_len;   /* of them and of what was sent: requests, answers, content */
    struct bytes pending;  /* of nghttp2's output; its memory */
    bool failed;           /* nghttp2 is in no state to go on */
    bool closing;          /* a last GOAWAY is on its way, and nothing more is read */
    bool ended;            /* the peer sends no more */
    uint64_t notice_until; /* since it was told that it will: when it says which stream is the last; otherwise 0 */
    bool retiring;
    bool noticed; /* the peer was told, and asked to say that it has heard (PING) */
    bool draining;
    int32_t last_stream; /* while draining: the last that is served */
};

/* http2_cut ends the connection for a flood. */
void http2_cut(struct http2 *http2, const char *reason);

/* http2_notice tells the peer that the connection is about to end, if it is. http2_note_heard: the peer has answered a PING. */
void http2_notice(struct http2 *http2);
void http2_note_heard(struct http2 *http2);

/* http2_stream_callbacks sets nghttp2's callbacks; their user data is the struct http2. */
void http2_stream_callbacks(nghttp2_session_callbacks *callbacks);

/* http2_stream_deadline returns when the first stream that waits for the peer has waited too long; 0: none waits. */
uint64_t http2_stream_deadline(const struct http2 *http2);

/* http2_stream_expire ends the streams that have waited longest. Nonzero: nghttp2's error. */
int http2_stream_expire(struct http2 *http2);

/* http2_stream_free frees the stream and takes it out of its session's list. */
void http2_stream_free(struct http2_stream *stream);

#endif
