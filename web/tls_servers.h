/* The server certificates of one identity, and which of them a connection gets.
 *
 * A client that names a host (RFC 6066, 3) gets the certificate with that name, an exact one before a wildcard; of several, the
 * first whose key does what the client can verify. Any other client gets the default one. */
#ifndef KEYWARD_WEB_TLS_SERVERS_H
#define KEYWARD_WEB_TLS_SERVERS_H

#include <openssl/base.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/tls_choice.h"

struct session_peer;
struct tls_handshake;
struct tls_servers;

/* tls_servers_new makes one without certificates. NULL: no memory. */
struct tls_servers *tls_servers_new(void);
void tls_servers_free(struct tls_servers *servers);

/* A certificate as the broker hands it over. */
struct tls_server {
    uint32_t number;           /* what keyd calls its key: 0 for the default one, and 1 to LIMIT_SERVER_CERTIFICATES */
    const char *name;          /* what it is called in diagnostics; NULL: the default one */
    const struct bytes *chain; /* DER, leaf first */
    size_t num_chain;          /* 1 to LIMIT_CHAIN */
    struct bytes ocsp;         /* what is stapled to it, DER; empty: nothing */
    struct bytes
        issuer; /* who signed the leaf, DER; empty: it is the second one of the chain. Looked at if there is an ocsp */
};

/* tls_servers_add adds a certificate, which has to fit the terms, and what is stapled to it (staple.h). The default one may come last,
 * the others come in the order in which they are preferred. ERR_INPUT and ERR_CRYPTO with a diagnostic: which one, and why. ERR_MALFORMED: the number is there. */
MUST_CHECK enum err tls_servers_add(struct tls_servers *servers, const struct tls_server *server,
                                    const struct tls_terms *terms, struct diag *diag);

/* tls_servers_num returns how many there are beside the default one. */
size_t tls_servers_num(const struct tls_servers *servers);

/* tls_servers_use has the context's connections choose among them. Takes servers, also when it fails: ERR_CRYPTO with a diagnostic. */
MUST_CHECK enum err tls_servers_use(SSL_CTX *context, struct tls_servers *servers, struct diag *diag);

/* tls_servers_fingerprint returns the SHA-256 of the certificate that the handshake has. */
const uint8_t *tls_servers_fingerprint(const SSL_CTX *context, const struct tls_handshake *handshake);

/* tls_servers_remark says whether there is a certificate, beginning with the one at *at, that is shown now without the response that it
 * is to have; of the first it writes which and why, and moves *at behind it. */
bool tls_servers_remark(char *out, size_t out_len, size_t *at, const SSL_CTX *context, uint64_t now_s);

/* tls_servers_next_update returns when the first of the responses runs out, seconds since the epoch; 0: there are none. */
uint64_t tls_servers_next_update(const SSL_CTX *context);

/* tls_servers_describe tells out which requests belong to this connection, and which certificate it has. What it tells lives as long as ssl. */
void tls_servers_describe(struct session_peer *out, const SSL *ssl, const struct tls_handshake *handshake);

#endif
