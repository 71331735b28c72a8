#include "keyd/expectation.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* What a digest, or a digest and a signature of it, is known by: its SHA-256, which is as short for the longest. */
struct mark {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
};

struct made {
    uint64_t until_ms;
    bool referred;
    enum key_role server;
    struct mark mark;
};

struct awaited {
    uint64_t until_ms; /* 0: used */
    uint64_t id;
    size_t num;
    struct mark candidates[EXPECTATION_CANDIDATES];
};

struct expectation_source {
    struct expectation_source *prev, *next;
    void *owner;
    uint64_t num_made; /* ever; the place of the next one is this, modulo the table's size */
    uint64_t num_awaited;
    struct made made[LIMIT_KEYD_SIGNED];
    struct awaited awaited[LIMIT_KEYD_EXPECTATIONS];
};

struct expectation_source *expectation_source_new(struct expectations *all, void *owner)
{
    struct expectation_source *source = calloc(1, sizeof(*source));
    if (source == NULL) return NULL;
    source->owner = owner;
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

/* Of the scheme, the digest, whose length the scheme fixes, and the rest. */
static struct mark mark_of(const struct digest *digest, struct bytes signature)
{
    struct mark mark;
    SHA256_CTX hash;
    SHA256_Init(&hash);
    SHA256_Update(&hash, &digest->scheme, sizeof(digest->scheme));
    SHA256_Update(&hash, digest->data, digest->len);
    SHA256_Update(&hash, signature.data, signature.len);
    SHA256_Final(mark.bytes, &hash);
    return mark;
}

static struct mark mark_of_digest(const struct digest *digest)
{
    return mark_of(digest, (struct bytes){NULL, 0});
}

void expectation_note_signature(struct expectation_source *source, enum key_role server, const struct digest *digest,
                                struct bytes signature, uint64_t now_ms)
{
    struct made *made = &source->made[source->num_made++ % LIMIT_KEYD_SIGNED];
    made->until_ms = now_ms + DEADLINE_SIGNED_MS;
    made->mark = mark_of(digest, signature);
    made->referred = false;
    made->server = server;
}

bool expectation_take_signature(struct expectation_source *source, enum key_role server, const struct digest *digest,
                                struct bytes signature, uint64_t now_ms)
{
    if (signature.len == 0) return false;
    const struct mark mark = mark_of(digest, signature);
    /* The newest first: most often it is the one, and behind one that is too old all are. */
    for (uint64_t i = 0; i < LIMIT_KEYD_SIGNED && i < source->num_made; i++) {
        struct made *made = &source->made[(source->num_made - 1 - i) % LIMIT_KEYD_SIGNED];
        if (made->until_ms <= now_ms) return false;
        if (made->referred || made->server != server || memcmp(&made->mark, &mark, sizeof(mark)) != 0) continue;
        made->referred = true;
        return true;
    }
    return false;
}

void expectation_add(struct expectation_source *source, uint64_t id, const struct digest *candidates, size_t num,
                     uint64_t now_ms)
{
    CHECK(num <= EXPECTATION_CANDIDATES);
    struct awaited *awaited = &source->awaited[source->num_awaited++ % LIMIT_KEYD_EXPECTATIONS];
    awaited->until_ms = now_ms + DEADLINE_EXPECTATION_MS;
    awaited->id = id;
    awaited->num = num;
    for (size_t i = 0; i < num; i++) awaited->candidates[i] = mark_of_digest(&candidates[i]);
}

/* A guess has been hashed: how long it takes tells nothing of how near it was. */
static bool matches(const struct awaited *awaited, const struct mark *mark)
{
    for (size_t i = 0; i < awaited->num; i++) {
        if (memcmp(&awaited->candidates[i], mark, sizeof(*mark)) == 0) return true;
    }
    return false;
}

static struct awaited *find(const struct expectations *all, void **out_owner, const struct digest *digest,
                            uint64_t now_ms)
{
    struct awaited *found = NULL;
    const struct mark mark = mark_of_digest(digest);
    for (struct expectation_source *source = all->first; source != NULL; source = source->next) {
        for (size_t i = 0; i < LIMIT_KEYD_EXPECTATIONS && i < source->num_awaited; i++) {
            struct awaited *awaited = &source->awaited[i];
            if (awaited->until_ms > now_ms && matches(awaited, &mark)) {
                found = awaited;
                *out_owner = source->owner;
            }
        }
    }
    return found;
}

bool expectations_find(const struct expectations *all, struct expected *out, const struct digest *digest,
                       uint64_t now_ms)
{
    const struct awaited *awaited = find(all, &out->owner, digest, now_ms);
    if (awaited == NULL) return false;
    out->id = awaited->id;
    return true;
}

bool expectations_have(const struct expectations *all, const struct digest *digest, uint64_t now_ms)
{
    struct expected unused;
    return expectations_find(all, &unused, digest, now_ms);
}

bool expectations_take(const struct expectations *all, const struct digest *digest, uint64_t now_ms)
{
    void *owner;
    struct awaited *awaited = find(all, &owner, digest, now_ms);
    if (awaited == NULL) return false;
    awaited->until_ms = 0;
    return true;
}
