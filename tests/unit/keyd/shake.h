/* A mutual TLS 1.3 handshake of BoringSSL with itself, in memory, up to what the client wants signed. Each side collects
 * its messages by its own callback, as web and browser-shim do. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_SHAKE_H
#define KEYWARD_TESTS_UNIT_KEYD_SHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

/* What kind of handshake. All false: the usual one. */
struct shake_kind {
    const char *name;
    bool aes256;      /* the suite with a hash of 48 bytes */
    bool retry;       /* with a HelloRetryRequest */
    bool with_issuer; /* the client sends the issuer too */
};

extern const struct shake_kind shake_kinds[];
extern const size_t shake_num_kinds;

struct shake_keys {
    struct bytes server, client, issuer; /* DER */
    const struct bytes *server_more;     /* what the server sends behind its own certificate */
    size_t num_server_more;
    uint16_t server_scheme, client_scheme; /* that they sign under; 0: ecdsa_secp256r1_sha256 */
    /* Signs the content of the server's CertificateVerify; sets *out_len, at most 512. */
    void (*sign_server)(void *context, uint8_t *out, size_t *out_len, struct bytes content);
    void *context;
};

struct shake {
    uint8_t server_messages[LIMIT_CLIENT_TRANSCRIPT]; /* ClientHello to the server's Finished, seen by the server */
    size_t server_len;
    uint8_t client_messages[LIMIT_CLIENT_TRANSCRIPT]; /* ClientHello to the client's Certificate, seen by the client */
    size_t client_len;
    uint8_t content[146]; /* what the client wants signed */
    size_t content_len;
    uint8_t digest[64]; /* its hash, as the scheme has it, which is all that a PKCS#11 module would be given */
    size_t digest_len;
    unsigned suite;  /* IANA's number */
    unsigned hellos; /* how many ClientHellos there were */
};

/* shake_run runs it; a failure fails the test. */
void shake_run(struct shake *out, const struct shake_kind *kind, const struct shake_keys *keys);

/* The messages as keyd is told of them. */
struct bytes shake_for_server(const struct shake *shake);
struct bytes shake_for_client(const struct shake *shake);

/* shake_find returns where the num-th message (from 0) of a type begins; a message that is not there fails the test. */
size_t shake_find(struct bytes messages, uint8_t type, unsigned num);

/* shake_message_len returns the length of the message at, header included. */
size_t shake_message_len(struct bytes messages, size_t at);

#endif
