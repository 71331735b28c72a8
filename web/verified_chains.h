/* Chains of client certificates that were found good, so that a client that comes again is not verified again.
 *
 * What is kept is that this chain, every byte of it, is signed by a CA of this context, is strong enough, and from when until
 * when all of it, and all that is known of it from revocation lists, is valid. What may change meanwhile (the time, the broker's
 * revocations) the caller asks each time. A cache belongs to the CAs and lists that its chains were verified with: others, another
 * cache. */
#ifndef KEYWARD_WEB_VERIFIED_CHAINS_H
#define KEYWARD_WEB_VERIFIED_CHAINS_H

#include <openssl/base.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <stdint.h>

#include "base/certificate.h"
#include "web/lineage.h"

struct verified_chains;

struct verified_chain {
    uint8_t digest[SHA256_DIGEST_LENGTH]; /* of verified_chains_digest */
    uint64_t from, until;                 /* valid from <= now < until, seconds since the epoch */
    uint64_t used;                        /* the cache's own */
    struct lineage *lineage;              /* who signed it */
    struct certificate_text leaf;
};

/* verified_chains_new makes an empty one for at most LIMIT_VERIFIED_CHAINS. NULL: no memory. */
struct verified_chains *verified_chains_new(void);
void verified_chains_free(struct verified_chains *chains);

/* verified_chains_digest writes what stands for the chain as it was sent, in its order: SHA-256 over each certificate behind
 * its length in four bytes. */
void verified_chains_digest(uint8_t out[SHA256_DIGEST_LENGTH], const STACK_OF(CRYPTO_BUFFER) * chain);

/* verified_chains_find returns the chain if it was added and is valid at that time, or NULL. It is good until the next call. */
const struct verified_chain *verified_chains_find(struct verified_chains *chains,
                                                  const uint8_t digest[SHA256_DIGEST_LENGTH], uint64_t now_s);

/* verified_chains_add keeps a copy, with a reference to its lineage, instead of the one that has not been used for the longest time where there
 * is no room. */
void verified_chains_add(struct verified_chains *chains, const struct verified_chain *chain);

#endif
