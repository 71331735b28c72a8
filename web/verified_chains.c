#include "web/verified_chains.h"

#include <openssl/pool.h>
#include <openssl/stack.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* Chains whose digests begin alike share a few places, so that a look is at those few. Who has a good certificate can send it
 * with others behind it, in ever new chains, and so push out others: that costs those a verification, as without a cache. */
enum { PLACES = 8, SETS = LIMIT_VERIFIED_CHAINS / PLACES };

struct verified_chains {
    uint64_t uses;
    struct verified_chain places[SETS][PLACES]; /* used 0: empty. Memory that nobody has written to is none. */
};

_Static_assert(LIMIT_VERIFIED_CHAINS % PLACES == 0 && SETS <= 256, "the first byte of a digest chooses the set");

struct verified_chains *verified_chains_new(void)
{
    return calloc(1, sizeof(struct verified_chains));
}

void verified_chains_free(struct verified_chains *chains)
{
    if (chains == NULL) return;
    for (size_t i = 0; i < SETS; i++) {
        for (size_t j = 0; j < PLACES; j++) lineage_free(chains->places[i][j].lineage);
    }
    free(chains);
}

void verified_chains_digest(uint8_t out[SHA256_DIGEST_LENGTH], const STACK_OF(CRYPTO_BUFFER) * chain)
{
    SHA256_CTX sha;
    SHA256_Init(&sha);
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        const CRYPTO_BUFFER *certificate = sk_CRYPTO_BUFFER_value(chain, i);
        const size_t len = CRYPTO_BUFFER_len(certificate);
        const uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
        SHA256_Update(&sha, prefix, sizeof prefix);
        SHA256_Update(&sha, CRYPTO_BUFFER_data(certificate), len);
    }
    SHA256_Final(out, &sha);
}

static struct verified_chain *set_of(struct verified_chains *chains, const uint8_t digest[SHA256_DIGEST_LENGTH])
{
    return chains->places[digest[0] % SETS];
}

const struct verified_chain *verified_chains_find(struct verified_chains *chains,
                                                  const uint8_t digest[SHA256_DIGEST_LENGTH], uint64_t now_s)
{
    struct verified_chain *set = set_of(chains, digest);
    for (size_t i = 0; i < PLACES; i++) {
        if (set[i].used == 0 || memcmp(set[i].digest, digest, SHA256_DIGEST_LENGTH) != 0) continue;
        if (now_s < set[i].from || now_s >= set[i].until) return NULL;
        set[i].used = ++chains->uses;
        return &set[i];
    }
    return NULL;
}

void verified_chains_add(struct verified_chains *chains, const struct verified_chain *chain)
{
    struct verified_chain *set = set_of(chains, chain->digest), *place = &set[0];
    for (size_t i = 0; i < PLACES; i++) {
        if (set[i].used != 0 && memcmp(set[i].digest, chain->digest, SHA256_DIGEST_LENGTH) == 0) {
            place = &set[i];
            break;
        }
        if (set[i].used < place->used) place = &set[i];
    }
    lineage_keep(chain->lineage);
    lineage_free(place->lineage);
    *place = *chain;
    place->used = ++chains->uses;
}
