/* Between the connections that are being made (streams.c), the sessions (stream.c) and their log lines (stream_log.c). */
#ifndef KEYWARD_WEB_STREAM_STREAMS_INTERNAL_H
#define KEYWARD_WEB_STREAM_STREAMS_INTERNAL_H

#include "base/log_rate.h"
#include "web/http/buffer.h"
#include "web/http/request_id.h"
#include "web/stream/streams.h"

enum stream_state {
    STREAM_WAITING, /* for a connection */
    STREAM_OPEN,
    STREAM_BROKEN, /* nothing more is said, and no end either */
};

struct stream {
    struct session session; /* first, so that the two pointers are one */
    struct streams *streams;
    const struct session_peer *peer;
    struct session_host host;
    uint32_t route;
    enum stream_state state;
    struct stream *prev, *next; /* while it is in the queue for a connection */
    bool queued;
    int fd; /* the upstream's; -1: none */
    ev_io io;
    struct buffer unsent; /* what the upstream has not taken */
    bool readable;        /* the upstream may have something to say */
    bool client_ended;    /* it has said all */
    bool upstream_ended;  /* the same */
    bool told_end;        /* the upstream has been told the client's end */
    bool unsendable;      /* the upstream takes no more; it may still speak */
    uint64_t begun_ms;    /* these two on clock_monotonic_ms's scale */
    uint64_t progress_ms; /* when a byte last moved */
    uint64_t from_client; /* bytes */
    uint64_t to_client;
    const char *end; /* how it ended, for the log; a constant */
    char id[REQUEST_ID_LEN + 1];
};

struct streams {
    struct ev_loop *loop;
    struct streams_config config;
    struct streams_host host;
    struct {
        uint64_t id; /* 0: free */
        uint32_t route;
        struct stream *stream; /* NULL: it has ended meanwhile */
    } asked[LIMIT_STREAM_CONNECTING];
    struct stream *first, *last; /* the queue */
    uint64_t last_id;
    struct request_ids ids;
    struct log_rate log, access_log;
};

/* streams_wait puts the stream into the queue for a connection; stream_connected or stream_not_connected is called later. */
void streams_wait(struct streams *streams, struct stream *stream);

/* streams_stop_waiting forgets the stream. */
void streams_stop_waiting(struct streams *streams, struct stream *stream);

/* ---- called by streams.c ---- */

void stream_connected(struct stream *stream, int fd);
void stream_not_connected(struct stream *stream);

/* ---- stream_log.c ---- */

/* stream_log writes the stream's line to the access log. */
void stream_log(const struct stream *stream);

#endif
