/* What the files that make up a connection share. */
#ifndef KEYWARD_WEB_CONN_INTERNAL_H
#define KEYWARD_WEB_CONN_INTERNAL_H

#include "web/conn.h"
#include "web/session.h"
#include "web/tls.h"

enum conn_state {
    CONN_HANDSHAKE,
    CONN_OPEN,      /* the session speaks */
    CONN_CLOSING,   /* our close_notify is to be written */
    CONN_LINGERING, /* our side is closed; closing with unread bytes would reset the peer before it has read ours */
    CONN_CLOSED,
};

/* What a step waits for. */
enum conn_wait {
    WAIT_NOTHING, /* take the next step at once */
    WAIT_READ,
    WAIT_WRITE,
    WAIT_EITHER, /* to read or to write */
    WAIT_CALL,   /* the signer's or the session's */
};

struct conn {
    struct conn_shared *shared;
    struct conn *prev, *next;
    struct conn *elder, *younger; /* while there is a handshake: the list of those */
    struct conn *same_bucket;     /* the same */
    uint64_t number;              /* never another connection's */
    struct client_bound client;   /* whose holder it is; its handle is 0: none of keyd's, or not known yet */
    int fd;
    enum conn_state state;
    enum conn_wait wait;
    enum service service;
    uint32_t stream;                 /* of SERVICE_STREAM: which */
    bool running;                    /* on the stack of conn_run */
    bool stalled;                    /* the peer does not take what is written: no step before it has */
    bool peer_ended;                 /* close_notify has come */
    bool session_over;               /* the peer broke the protocol: write what is left, then close */
    bool said_end;                   /* our close_notify is written */
    SSL *ssl;                        /* NULL: no TLS */
    struct tls_handshake *handshake; /* only while there is one */
    CRYPTO_BUFFER *leaf;             /* the client's, where applications are told it; or NULL */
    struct session *session;         /* from CONN_OPEN on */
    uint8_t *unsent;                 /* plaintext that TLS did not take; the next SSL_write must repeat it */
    size_t unsent_len;
    uint64_t deadline; /* of the state */
    uint64_t alarm;    /* when the timer goes off, which may be earlier */
    ev_io io;
    ev_timer timer;
    struct address_key address; /* the peer's */
    struct session_peer peer;
    struct lineage *lineage; /* who signed its client's certificate; NULL: it has none, or is not known yet */
};

/* ---- conn.c ---- */

/* conn_enter is the one place where the state changes. Returns what the new state begins with. */
enum conn_wait conn_enter(struct conn *conn, enum conn_state state);

/* conn_run takes the steps that can be taken now. The connection may be gone afterwards. */
void conn_run(struct conn *conn);

void conn_free(struct conn *conn);

/* ---- conn_transport.c: bytes of the session, through TLS or as they are ---- */

enum conn_transfer {
    TRANSFER_DONE,
    TRANSFER_WAIT,  /* until the socket is ready */
    TRANSFER_ENDED, /* the peer has ended its side in good order */
    TRANSFER_LOST,
};

/* conn_receive reads at most cap bytes, at least one if it is done. */
enum conn_transfer conn_receive(struct conn *conn, uint8_t *out, size_t *out_len, size_t cap);

/* conn_send writes one piece, at most a record, which the socket may get only at conn_flush. If it has to wait, the first *out_taken bytes are written; the next call must
 * begin with those that are not. */
enum conn_transfer conn_send(struct conn *conn, size_t *out_taken, const uint8_t *data, size_t len);

/* conn_flush has the socket take what conn_send has written. */
enum conn_transfer conn_flush(struct conn *conn);

/* conn_send_end writes the end of our side, and flushes. */
enum conn_transfer conn_send_end(struct conn *conn);

/* ---- conn_handshake.c ---- */

/* conn_handshake_begin makes the TLS state; mode is not TLS_MODE_OFF. ERR_MEMORY. */
MUST_CHECK enum err conn_handshake_begin(struct conn *conn, enum tls_mode mode);

/* conn_begin_session begins what is spoken inside, with a peer that is known as far as it will be. */
enum conn_wait conn_begin_session(struct conn *conn);

/* conn_handshake_make_room ends the oldest handshake if there are LIMIT_HANDSHAKES. */
void conn_handshake_make_room(struct conn_shared *shared);

enum conn_wait conn_handshake_step(struct conn *conn);

/* conn_handshake_expire ends it because its time is over. */
void conn_handshake_expire(struct conn *conn);

/* conn_handshake_end forgets what only the handshake needed. Harmless when done twice. */
void conn_handshake_end(struct conn *conn);

#endif
