/* The others of a TLS connection: a server, and keyd at the far end of a handle. Each is a process of its own. */
#ifndef KEYWARD_TESTS_UNIT_BROWSER_SHIM_CLIENT_PEER_H
#define KEYWARD_TESTS_UNIT_BROWSER_SHIM_CLIENT_PEER_H

#include <stdint.h>

#include "browser-shim/client_handle.h"

enum peer_ca { PEER_CA_OURS, PEER_CA_OTHER };

/* What the server is like. All zero: a good one, for localhost, 127.0.0.1 and ::1. */
struct peer_server {
    enum peer_ca ca;        /* who signed its certificate */
    enum peer_ca client_ca; /* whose clients it lets in */
    int not_before_s;       /* seconds from now; 0: an hour ago */
    int not_after_s;        /* 0: in an hour */
    int eku;                /* a NID; 0: serverAuth */
    int max_version;        /* 0: TLS 1.3 */
    enum { PEER_ASKS, PEER_ASKS_NOTHING } asking;
    enum {
        PEER_TLS,        /* answers what it reads with the client's name, and ends in order */
        PEER_TRUNCATES,  /* answers, and ends without a close_notify */
        PEER_PLAIN_TEXT, /* does not speak TLS */
        PEER_HANGS_UP,
        PEER_ECHOES,     /* answers each line with "then there LINE" */
        PEER_MUMBLES,    /* answers each line with "then there no" */
        PEER_NEVER_ENDS, /* answers with a line that does not end */
        PEER_IS_SILENT,  /* reads lines */
    } behaviour;
};

/* What keyd does with a request. What the handle is, it always says. */
enum peer_keyd {
    KEYD_SIGNS,
    KEYD_SIGNS_AFTER_STALE_ANSWER,
    KEYD_REFUSES, /* REFUSAL_EXPIRED */
    KEYD_DOUBTS,  /* REFUSAL_SERVER */
    KEYD_CLOSES,
    KEYD_TALKS_NONSENSE,
    KEYD_SIGNS_WRONG,
};

/* peer_start_server returns our end of the connection, non-blocking. */
int peer_start_server(const struct peer_server *server);

/* peer_listen starts servers on 127.0.0.1, each connection's a process of its own, and returns the port. NULL: nobody takes the
 * connections. */
uint16_t peer_listen(const struct peer_server *server);

/* peer_start_keyd fills out as client_handle_ask would. */
void peer_start_keyd(struct client_handle *out, enum peer_keyd behaviour);

#endif
