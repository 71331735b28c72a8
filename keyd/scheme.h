/* The signature schemes of TLS (RFC 8446, 4.2.3) that keyd's keys do, and a digest that is to be signed under one.
 *
 * A digest never goes without its scheme, so that none is signed under another than the one it was made for. */
#ifndef KEYWARD_KEYD_SCHEME_H
#define KEYWARD_KEYD_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/message.h"

#define SCHEME_DIGEST 64u     /* the longest: SHA-512 */
#define SCHEMES_OF_A_KEY 3u   /* the most that one key does */
#define SCHEME_SIGNATURE 512u /* the longest: of a 4096-bit RSA key */

_Static_assert(SCHEME_SIGNATURE <= LIMIT_SIGNATURE, "a signature fits into its message");

struct digest {
    uint16_t scheme;
    size_t len; /* as the scheme's hash has it */
    uint8_t data[SCHEME_DIGEST];
};

/* scheme_digest_len returns 32, 48 or 64; 0 for a scheme that no key of keyd's does. */
size_t scheme_digest_len(uint16_t scheme);

/* scheme_hash makes the digest of content for a scheme. False: no key of keyd's does it. */
bool scheme_hash(struct digest *out, uint16_t scheme, struct bytes content);

/* scheme_take makes a digest of one that somebody else made. False: no such scheme, or not its length. */
bool scheme_take(struct digest *out, uint16_t scheme, struct bytes data);

#endif
