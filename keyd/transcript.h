/* The messages of a TLS 1.3 handshake (RFC 8446, 4), each with its header, one after the other: read as far as keyd has
 * to understand them, and hashed (RFC 8446, 4.4.1). Nothing is allocated. */
#ifndef KEYWARD_KEYD_TRANSCRIPT_H
#define KEYWARD_KEYD_TRANSCRIPT_H

#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

#define TRANSCRIPT_HASH 48u /* room for a hash of 32 or 48 bytes */

/* A hash of messages that more can be added to. */
struct transcript_hash {
    size_t len; /* 32: SHA-256; 48: SHA-384 */
    union {
        SHA256_CTX sha256;
        SHA512_CTX sha384;
    };
};

/* Spans point into the messages. */
struct transcript {
    struct bytes chain[LIMIT_SERVER_CHAIN]; /* the server's certificates as it sent them, DER, its own first */
    size_t num_chain;                       /* at least 1 */
    uint16_t scheme;                        /* of its CertificateVerify, as the next two */
    struct bytes signature;                 /* not verified here */
    uint8_t signed_hash[TRANSCRIPT_HASH];
    struct transcript_hash hash;       /* ClientHello .. server Finished */
    struct transcript_hash whole_hash; /* the client's Certificate as well, if there is one */
};

/* Where the messages end. */
enum transcript_end { TRANSCRIPT_TO_FINISHED, TRANSCRIPT_TO_CLIENT_CERTIFICATE };

/* transcript_parse reads ClientHello, [HelloRetryRequest, ClientHello,] ServerHello, EncryptedExtensions,
 * CertificateRequest, Certificate, CertificateVerify, the server's Finished and, if they end there, the client's
 * Certificate. False: they are anything else, of a cipher suite that is not one of TLS 1.3's three with AES-GCM and
 * ChaCha20, or the server has sent more than LIMIT_SERVER_CHAIN certificates. */
bool transcript_parse(struct transcript *out, struct bytes messages, enum transcript_end end);

/* transcript_hash_finish writes the hash; more can be added to it still. Its length is hash->len. */
void transcript_hash_finish(uint8_t out[TRANSCRIPT_HASH], const struct transcript_hash *hash);

/* transcript_hash_with_chain does the same for the messages to the server's Finished and the client's Certificate that
 * has these certificates, no context and no extensions. */
void transcript_hash_with_chain(uint8_t out[TRANSCRIPT_HASH], const struct transcript *transcript,
                                const struct bytes *chain, size_t num_chain);

#endif
