#include "keyd/expectation.h"

#include <openssl/mem.h>
#include <stdlib.h>
#include <string.h>

struct made {
    uint64_t until_ms;
    uint8_t digest[KEYSTORE_DIGEST];
    uint8_t signature[KEYSTORE_SIGNATURE];
    size_t signature_len; /* 0: has been referred to */
};

struct awaited {
    uint64_t until_ms; /* 0: used */
    uint8_t candidates[EXPECTATION_CANDIDATES][KEYSTORE_DIGEST];
};

struct expectation_source {
    struct expectation_source *prev, *next;
    uint64_t num_made; /* ever; the place of the next one is this, modulo the table's size */
    uint64_t num_awaited;
    struct made made[LIMIT_KEYD_SIGNED];
    struct awaited awaited[LIMIT_KEYD_EXPECTATIONS];
};

struct expectation_source *expectation_source_new(struct expectations *all)
{
    struct expectation_source *source = calloc(1, sizeof(*source));
    if (source == NULL) return NULL;
    source->next = all->first;
    if (source->next != NULL) source->next->prev = source;
    all->first = source;
    return source;
}

void expectation_source_free(struct expectations *all, struct expectation_source *source)
{
    if (source == NULL) return;
    *(source->prev != NULL ? &source->prev->next : &all->first) = source->next;
    if (source->next != NULL) source->next->prev = source->prev;
    free(source);
}

void expectation_note_signature(struct expectation_source *source, const uint8_t digest[KEYSTORE_DIGEST],
                                struct bytes signature, uint64_t now_ms)
{
    struct made *made = &source->made[source->num_made++ % LIMIT_KEYD_SIGNED];
    made->until_ms = now_ms + DEADLINE_SIGNED_MS;
    memcpy(made->digest, digest, KEYSTORE_DIGEST);
    memcpy(made->signature, signature.data, signature.len);
    made->signature_len = signature.len;
}

bool expectation_take_signature(struct expectation_source *source, const uint8_t digest[KEYSTORE_DIGEST],
                                struct bytes signature, uint64_t now_ms)
{
    if (signature.len == 0) return false;
    /* The newest first: most often it is the one, and behind one that is too old all are. */
    for (uint64_t i = 0; i < LIMIT_KEYD_SIGNED && i < source->num_made; i++) {
        struct made *made = &source->made[(source->num_made - 1 - i) % LIMIT_KEYD_SIGNED];
        if (made->until_ms <= now_ms) return false;
        if (memcmp(made->digest, digest, KEYSTORE_DIGEST) != 0) continue;
        if (!bytes_equal((struct bytes){made->signature, made->signature_len}, signature)) continue;
        made->signature_len = 0;
        return true;
    }
    return false;
}

void expectation_add(struct expectation_source *source, uint8_t candidates[EXPECTATION_CANDIDATES][KEYSTORE_DIGEST],
                     uint64_t now_ms)
{
    struct awaited *awaited = &source->awaited[source->num_awaited++ % LIMIT_KEYD_EXPECTATIONS];
    awaited->until_ms = now_ms + DEADLINE_EXPECTATION_MS;
    memcpy(awaited->candidates, candidates, sizeof(awaited->candidates));
}

/* How long it takes tells nothing of how near a guess was. */
static bool matches(const struct awaited *awaited, const uint8_t digest[KEYSTORE_DIGEST])
{
    unsigned equal = 0;
    for (size_t i = 0; i < EXPECTATION_CANDIDATES; i++)
        equal |= CRYPTO_memcmp(awaited->candidates[i], digest, KEYSTORE_DIGEST) == 0;
    return equal != 0;
}

static struct awaited *find(const struct expectations *all, const uint8_t digest[KEYSTORE_DIGEST], uint64_t now_ms)
{
    struct awaited *found = NULL;
    for (struct expectation_source *source = all->first; source != NULL; source = source->next) {
        for (size_t i = 0; i < LIMIT_KEYD_EXPECTATIONS && i < source->num_awaited; i++) {
            struct awaited *awaited = &source->awaited[i];
            if (awaited->until_ms > now_ms && matches(awaited, digest)) found = awaited;
        }
    }
    return found;
}

bool expectations_have(const struct expectations *all, const uint8_t digest[KEYSTORE_DIGEST], uint64_t now_ms)
{
    return find(all, digest, now_ms) != NULL;
}

bool expectations_take(const struct expectations *all, const uint8_t digest[KEYSTORE_DIGEST], uint64_t now_ms)
{
    struct awaited *awaited = find(all, digest, now_ms);
    if (awaited == NULL) return false;
    awaited->until_ms = 0;
    return true;
}
