/* What ties a browser's digest to a handshake: for each server's channel, the CertificateVerify signatures that keyd made
 * for it, and the digests of the client signatures that handshakes with those wait for.
 *
 * Each channel has tables of its own, so that one of them cannot push out what another is waiting for. All are bounded,
 * the oldest goes first, and nothing in them lives longer than seconds. */
#ifndef KEYWARD_KEYD_EXPECTATION_H
#define KEYWARD_KEYD_EXPECTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "keyd/key_generate.h"
#include "keyd/scheme.h"

/* A client may send its leaf alone, or its leaf and the issuer, and sign under any scheme of its key: whichever comes
 * first is the one. */
#define EXPECTATION_CANDIDATES (2u * SCHEMES_OF_A_KEY)

/* One server channel's part. */
struct expectation_source;

/* All of them. Zero state: none. */
struct expectations {
    struct expectation_source *first;
};

/* owner is who is told when a handle uses one of its expectations. NULL: no memory. What it holds dies with it. */
struct expectation_source *expectation_source_new(struct expectations *all, void *owner);
void expectation_source_free(struct expectations *all, struct expectation_source *source);

/* expectation_note_signature remembers for DEADLINE_SIGNED_MS that keyd signed digest with that server's key. */
void expectation_note_signature(struct expectation_source *source, enum key_role server, const struct digest *digest,
                                struct bytes signature, uint64_t now_ms);

/* expectation_take_signature says whether keyd made this very signature of digest with that server's key for this channel a
 * moment ago, and forgets it: one handshake, one expectation. */
bool expectation_take_signature(struct expectation_source *source, enum key_role server, const struct digest *digest,
                                struct bytes signature, uint64_t now_ms);

/* expectation_add makes the candidates, at most EXPECTATION_CANDIDATES, good for one signature within
 * DEADLINE_EXPECTATION_MS. id is the owner's name for the handshake. */
void expectation_add(struct expectation_source *source, uint64_t id, const struct digest *candidates, size_t num,
                     uint64_t now_ms);

/* A handshake that waits for a signature. */
struct expected {
    void *owner; /* of its source */
    uint64_t id;
};

/* expectations_have says whether a handshake waits for digest, expectations_find which; expectations_take uses the
 * expectation up, with all its candidates. */
bool expectations_find(const struct expectations *all, struct expected *out, const struct digest *digest,
                       uint64_t now_ms);
bool expectations_have(const struct expectations *all, const struct digest *digest, uint64_t now_ms);
bool expectations_take(const struct expectations *all, const struct digest *digest, uint64_t now_ms);

#endif
