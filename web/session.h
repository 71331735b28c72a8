/* What is spoken inside one TLS connection: HTTP/1.1, HTTP/2 or echo. A session is given plain bytes and gives plain
 * bytes; it never sees a socket, an SSL or the event loop, so it can be tested and fuzzed alone. One thread. */
#ifndef KEYWARD_WEB_SESSION_H
#define KEYWARD_WEB_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/certificate.h"
#include "base/err.h"

struct server_names;

/* Who is at the other end, as far as it is known and verified. Lives as long as the connection. */
struct session_peer {
    struct certificate_text certificate;
    struct bytes leaf;                    /* the certificate, DER; empty: there is none, or no application to tell it */
    char address[64];                     /* "127.0.0.1:40000", "[::1]:40000" */
    const char *protocol;                 /* "TLSv1.3"; this and the next three are "" where there is no TLS */
    const char *cipher;                   /* "TLS_AES_128_GCM_SHA256" */
    const char *group;                    /* "X25519" */
    const char *alpn;                     /* "h2", "http/1.1" or "" */
    bool browser;                         /* it came by the listener in the browser's namespace */
    bool resumed;                         /* the client proved that it has its key in an earlier connection */
    uint64_t handle;                      /* keyd's, whose holder the client is; 0: none that keyd told of */
    const struct certificate_text *shown; /* the server's certificate in this connection; NULL: none */
    const struct server_names *server_names; /* of several server certificates; NULL: there is one */
    unsigned server;                         /* which of them the connection has */
};

/* session_peer_is_known says whether the peer has shown a certificate that was verified. Only some listeners let others in. */
static inline bool session_peer_is_known(const struct session_peer *peer)
{
    return peer->certificate.fingerprint[0] != '\0';
}

/* session_peer_is_private says whether TLS is spoken with it. */
static inline bool session_peer_is_private(const struct session_peer *peer)
{
    return peer->protocol != NULL && peer->protocol[0] != '\0';
}

/* How a session reaches its connection. */
struct session_host {
    void (*wake)(void *context); /* what the session wants has changed outside of a call to it */
    void *context;
};

/* A set: what the session waits for. */
enum session_want {
    SESSION_READ = 1,  /* it takes more bytes */
    SESSION_WRITE = 2, /* it has bytes to give */
    SESSION_CLOSE = 4, /* once its bytes are written, the connection is to be closed */
    SESSION_CUT = 8, /* and not as if that were the end of what it had to say: without a close_notify (RFC 8446, 6.1) */
    SESSION_END = 16, /* once its bytes are written, the peer is to be told that there are no more; it may go on */
};

struct session;

/* The most that a farewell has. */
#define SESSION_FAREWELL 17

struct session_ops {
    /* Takes all of data. An error means that the peer broke the protocol: what the session still has to say is
     * written, then the connection is closed. */
    enum err (*receive)(struct session *session, const uint8_t *data, size_t len);

    /* The peer has closed its side (close_notify); no more will be received. */
    void (*receive_end)(struct session *session);

    /* Writes up to cap bytes to out and returns how many; 0 if there is nothing to send now. */
    size_t (*produce)(struct session *session, uint8_t *out, size_t cap);

    /* enum session_want, or'ed. */
    unsigned (*wants)(const struct session *session);

    /* When the session gives up waiting for the peer, on clock_monotonic_ms's scale. 0: it waits for nothing. */
    uint64_t (*deadline)(const struct session *session);

    /* The deadline has passed. The session may still have something to say (408), and then wants SESSION_CLOSE. */
    void (*expire)(struct session *session);

    /* The worker is stopping: finish what is begun, begin nothing new (Connection: close, GOAWAY). */
    void (*drain)(struct session *session);

    /* Others serve new connections from now on, and this one is to end when its peer cannot be in the midst of asking: behind an
     * answer that says so, or when nothing has been asked for a while. NULL: it goes on until it is drained. */
    void (*retire)(struct session *session);

    /* The connection ends here and now, whatever is under way. Writes what may still be said and returns how much that is;
     * 0, or no such function: nothing, for example in the middle of a frame. Only free follows. */
    size_t (*farewell)(struct session *session, uint8_t out[SESSION_FAREWELL]);

    void (*free)(struct session *session);

    /* There are no messages, only bytes: both ways flow without waiting for each other, and only the session knows when all has been
     * said, so that its connection ends with a close_notify when it wants that, and never otherwise. */
    bool raw;
};

/* Every implementation starts with this. */
struct session {
    const struct session_ops *ops;
};

#endif
