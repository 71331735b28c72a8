/* Prints a handshake as it happens: for people in columns, for programs an object of JSON a line. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TRACE_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TRACE_H

#include "browser-shim/client_output.h"
#include "browser-shim/client_tls_watch.h"

/* A line about a message. */
struct client_trace_line {
    uint64_t after_us; /* the start */
    size_t len;        /* the message's, with its header */
    bool from_client;
    uint8_t content_type;
    char name[40];
};

struct client_trace {
    struct client_output *output;
    bool json;
    bool own_server; /* the server is the one that the broker started, so its key is in keyd too */
    uint64_t handle; /* the one that the client's CertificateVerify is signed with */
    uint64_t start_us;
    /* The server's signature: keyd's only if it is good, which is known when the server's next message is read. */
    struct client_trace_line signature;
    bool has_signature;
    bool own_server_seen; /* by a good signature */
    enum err err;         /* of the output */
    struct diag diag;
};

/* client_trace_start prints the heads of the columns. The first five fields are the caller's to set, all others are zero;
 * start_us is of the monotonic clock. */
MUST_CHECK enum err client_trace_start(struct client_trace *trace, const struct client_address *server,
                                       struct diag *diag);

/* client_trace_message prints what the time and the message say, as soon as they can be told. */
void client_trace_message(struct client_trace *trace, const struct client_tls_message *message, uint64_t now_us);

/* client_trace_end prints what was agreed, and error: why it failed; NULL if it did not. Fails if anything could not be
 * printed. */
MUST_CHECK enum err client_trace_end(struct client_trace *trace, const struct client_tls_outcome *outcome,
                                     const char *error, uint64_t now_us, struct diag *diag);

#endif
