/* SHA-256 (FIPS 180-4, 6.2), for the processes that have no BoringSSL. What is hashed is no secret. */
#ifndef KEYWARD_BASE_SHA256_H
#define KEYWARD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define SHA256_BYTES 32u

/* A hash that more can be added to. */
struct sha256 {
    uint32_t state[8];
    uint64_t len;      /* bytes added so far */
    uint8_t block[64]; /* the last of them that do not fill a block */
};

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, struct bytes data);

/* sha256_finish writes the hash of all that was added; nothing can be added afterwards. */
void sha256_finish(uint8_t out[SHA256_BYTES], struct sha256 *hash);

/* sha256_of is all of it at once. */
void sha256_of(uint8_t out[SHA256_BYTES], struct bytes message);

#endif
