/* A handshake to look at: each message as it comes, and what was agreed. TLS 1.2 is spoken too, but keyd signs nothing of
 * it: a server that asks for a certificate there gets none. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TLS_WATCH_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TLS_WATCH_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "browser-shim/client_tls.h"

/* Content types (RFC 8446, 5.1). */
enum { CLIENT_TLS_CHANGE_CIPHER_SPEC = 20, CLIENT_TLS_ALERT = 21, CLIENT_TLS_HANDSHAKE = 22 };

/* A message as it was before it was encrypted, or after it was decrypted: of a handshake with its header of four bytes
 * (RFC 8446, 4), an alert with its two (6). */
struct client_tls_message {
    bool from_client;
    uint8_t content_type;
    struct bytes data; /* valid during the call */
};

enum client_tls_versions { CLIENT_TLS_12_AND_13, CLIENT_TLS_12_ALONE };

struct client_tls_watch {
    void (*message)(void *context, const struct client_tls_message *message); /* not NULL */
    void *context;
    enum client_tls_versions versions;
};

/* client_tls_watch has watch told of each message, from a client_tls_new on and before client_tls_handshake. TLS 1.2 and,
 * beside HTTP/1.1, h2 are offered then, and a server that asks for no certificate is no error. */
MUST_CHECK enum err client_tls_watch(struct client_tls *tls, const struct client_tls_watch *watch, struct diag *diag);

/* client_tls_part says that nothing more comes, and waits for the server to end. In TLS 1.3 a server judges the client's
 * certificate after the client's part of the handshake is over, so it is here that a refusal is heard. */
MUST_CHECK enum err client_tls_part(struct client_tls *tls, struct diag *diag);

/* What is known of a handshake that is over, or has failed. What is not is NULL. */
struct client_tls_outcome {
    const char *version; /* "TLSv1.3" */
    const char *suite;   /* "TLS_AES_128_GCM_SHA256" */
    const char *group;   /* "X25519" */
    const char *scheme;  /* what the server signed under: "ecdsa_secp256r1_sha256" */
    char alpn[16];       /* "h2"; empty: none */
    const X509 *server;  /* its certificate; lives as long as the client_tls */
    const X509 *client;  /* ours, if the server got it */
    bool asked;          /* whether the server asked for one */
};

/* client_tls_outcome says what was agreed. whole: the handshake was. */
void client_tls_outcome(struct client_tls_outcome *out, const struct client_tls *tls, bool whole);

#endif
