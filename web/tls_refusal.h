/* Why a handshake failed, in words for the log: what the person who runs the server, or the client's, can act on. */
#ifndef KEYWARD_WEB_TLS_REFUSAL_H
#define KEYWARD_WEB_TLS_REFUSAL_H

#include <openssl/base.h>
#include <stddef.h>

#include "web/tls.h"

enum tls_outcome {
    TLS_OUTCOME_REFUSED, /* one of the two sides objected */
    TLS_OUTCOME_ABORTED, /* the client left; browsers do when they have to ask for a certificate first */
    TLS_OUTCOME_UNUSED,  /* it left without having sent a byte: a probe */
};

struct tls_refusal {
    enum tls_outcome outcome;
    enum handshake_failure kind; /* for the counters; HANDSHAKE_ABORTED unless it was refused */
    char reason[2 * LIMIT_TEXT];
    const char *remedy; /* what to do about it; static */
};

/* tls_refusal_certificate writes why store's chain was not accepted. */
void tls_refusal_certificate(char *out, size_t out_len, X509_STORE_CTX *store);

/* tls_refusal_handshake says why SSL_do_handshake on ssl has failed with ssl_error (SSL_get_error), from the error
 * queue and what handshake has kept, and empties the queue. */
void tls_refusal_handshake(struct tls_refusal *out, const SSL *ssl, const struct tls_handshake *handshake,
                           int ssl_error);

#endif
