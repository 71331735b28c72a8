#include "tests/fuzz/keyd/whole_book.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/check.h"

/* ---- Handshakes ---- */

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static uint8_t *put_header(uint8_t *at, uint8_t type, size_t len)
{
    const uint8_t header[4] = {type, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    return put(at, header, sizeof header);
}

/* A Certificate message without context and extensions (RFC 8446, 4.4.2). */
static uint8_t *put_certificates(uint8_t *at, const struct bytes *chain, size_t num)
{
    size_t list = 0;
    for (size_t i = 0; i < num; i++) list += 3 + chain[i].len + 2;
    at = put_header(at, 11, 1 + 3 + list);
    const uint8_t front[4] = {0, (uint8_t)(list >> 16), (uint8_t)(list >> 8), (uint8_t)list};
    at = put(at, front, sizeof front);
    for (size_t i = 0; i < num; i++) {
        const size_t len = chain[i].len;
        const uint8_t size[3] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
        at = put(at, size, sizeof size);
        at = put(at, chain[i].data, len);
        at = put(at, "\0", 2);
    }
    return at;
}

/* To the server's Certificate. */
static uint8_t *put_front(uint8_t *at, const struct book *book, unsigned hash)
{
    static const uint8_t hello_front[2] = {3, 3}, suite_end[6] = {0, 0x13, 0x01, 0, 0, 0};
    const struct bytes server = keystore_certificate(book->keystore, KEY_SERVER);
    uint8_t random[32];
    memset(random, (int)hash, sizeof random);
    at = put(put_header(at, 1, 1), &(uint8_t){(uint8_t)hash}, 1);
    at = put_header(at, 2, sizeof hello_front + sizeof random + sizeof suite_end);
    at = put(put(put(at, hello_front, sizeof hello_front), random, sizeof random), suite_end, sizeof suite_end);
    at = put(put_header(at, 8, 2), "\0", 2);
    at = put(put_header(at, 13, 3), "\0\0", 3);
    return put_certificates(at, &server, 1);
}

size_t book_messages(uint8_t out[BOOK_MESSAGES], const struct book *book, unsigned hash, struct bytes signature)
{
    static const uint8_t finished[32];
    const uint8_t front[4] = {0x04, 0x03, (uint8_t)(signature.len >> 8), (uint8_t)signature.len};
    uint8_t *at = put_front(out, book, hash);
    at = put(put_header(at, 15, sizeof front + signature.len), front, sizeof front);
    at = put(at, signature.data, signature.len);
    at = put(put_header(at, 20, sizeof finished), finished, sizeof finished);
    return (size_t)(at - out);
}

size_t book_add_client(uint8_t out[BOOK_MESSAGES], size_t len, const struct book *book, size_t num)
{
    const struct bytes chain[2] = {keystore_certificate(book->keystore, KEY_CLIENT),
                                   keystore_certificate(book->keystore, KEY_CA)};
    return (size_t)(put_certificates(out + len, chain, num) - out);
}

void book_signed_hash(uint8_t out[32], const struct book *book, unsigned hash)
{
    uint8_t messages[BOOK_MESSAGES];
    SHA256(messages, (size_t)(put_front(messages, book, hash) - messages), out);
}

void book_client_digest(uint8_t out[32], const uint8_t *messages, size_t len)
{
    uint8_t content[64 + 34 + 32];
    memset(content, ' ', 64);
    memcpy(content + 64, "TLS 1.3, client CertificateVerify", 34); /* and its zero byte */
    SHA256(messages, len, content + 64 + 34);
    SHA256(content, sizeof content, out);
}

/* ---- Grants ---- */

void book_grant(struct book_slot *slot, struct book_slot *parent, const struct keyd_grant *terms, uint64_t now_ms)
{
    *slot = (struct book_slot){.open = true, .grant = terms->grant, .purpose = terms->purpose, .parent = parent};
    slot->expires_ms = terms->lifetime_s == 0 ? 0 : now_ms + UINT64_C(1000) * terms->lifetime_s;
    slot->max = terms->max_signatures;
    slot->rate = terms->rate;
    slot->pinned = terms->pid;
    if (parent == NULL) return;
    CHECK(parent->open && parent->purpose == slot->purpose && slot->purpose != PURPOSE_TLS_SERVER);
    CHECK(slot->pinned == 0 || parent->pinned == 0 || slot->pinned == parent->pinned);
    CHECK(slot->expires_ms == 0 || parent->expires_ms == 0 || slot->expires_ms <= parent->expires_ms);
    CHECK(slot->max == 0 || parent->max == 0 || slot->max <= parent->max);
    CHECK(slot->rate == 0 || parent->rate == 0 || slot->rate <= parent->rate);
    if (slot->pinned == 0) slot->pinned = parent->pinned;
}

void book_close(struct book *book, struct book_slot *slot)
{
    slot->open = false;
    for (size_t i = 0; i < book->num_requests; i++) {
        if (book->requests[i].slot == slot) book->requests[i].until_ms = 0; /* expectations die with their channel */
    }
    for (size_t i = 0; i < book->num_proofs; i++) {
        if (book->proofs[i].slot == slot) book->proofs[i].used = true;
    }
    for (size_t i = 0; i < BOOK_SLOTS; i++) {
        if (book->slots[i].open && book->slots[i].parent == slot) book_close(book, &book->slots[i]);
    }
}

/* ---- Requests ---- */

void book_asked(struct book *book, struct book_request *request)
{
    if (request->kind != MSG_EXPECT_CLIENT) return;
    struct book_proof *proof = request->proof;
    const bool is_good = request->genuine && proof != NULL && proof->slot == request->slot && !proof->used &&
                         proof->until_ms > book->now_ms;
    request->until_ms = is_good ? book->now_ms + DEADLINE_EXPECTATION_MS : 0;
    if (is_good) proof->used = true;
}

/* The handshake that waits for this digest. */
static struct book_request *find_expected(struct book *book, const uint8_t digest[32])
{
    for (size_t i = 0; i < book->num_requests; i++) {
        struct book_request *told = &book->requests[i];
        if (told->kind != MSG_EXPECT_CLIENT || told->until_ms <= book->now_ms) continue;
        if (memcmp(told->digests[0], digest, 32) == 0 || memcmp(told->digests[1], digest, 32) == 0) return told;
    }
    return NULL;
}

static void note_proof(struct book *book, const struct book_request *request, struct bytes signature)
{
    CHECK(request->kind == MSG_SIGN_TLS13_SERVER && request->slot->purpose == PURPOSE_TLS_SERVER);
    struct book_proof *proof = &book->proofs[book->num_proofs++];
    *proof = (struct book_proof){.slot = request->slot, .hash = request->hash};
    proof->until_ms = book->now_ms + DEADLINE_SIGNED_MS;
    proof->signature_len = signature.len;
    memcpy(proof->signature, signature.data, signature.len);
}

/* A bucket holds one second's worth, so no second sees more than two. */
static void check_rate(const struct book_slot *slot, uint64_t now_ms)
{
    if (slot->rate == 0 || slot->signatures < 2u * slot->rate) return;
    CHECK(slot->times[(slot->signatures - 2u * slot->rate) % 16] + 1000 <= now_ms);
}

static void charge(struct book *book, struct book_slot *slot, uint32_t pid)
{
    for (; slot != NULL; slot = slot->parent) {
        CHECK(slot->open); /* not after its revocation, nor after that of what it came from */
        CHECK(slot->expires_ms == 0 || book->now_ms < slot->expires_ms);
        CHECK(slot->max == 0 || slot->signatures < slot->max);
        CHECK(slot->pinned == pid || (slot->pinned == 0 && slot->purpose != PURPOSE_BROWSER_DIGEST));
        check_rate(slot, book->now_ms);
        slot->times[slot->signatures++ % 16] = book->now_ms;
    }
    book->num_signatures++;
}

static void note_client_signature(struct book *book, const struct book_request *request)
{
    struct book_request *told = find_expected(book, request->digests[0]);
    charge(book, request->slot, request->pid);
    if (request->kind == MSG_SIGN_TLS13_CLIENT) CHECK(request->genuine);
    if (request->kind == MSG_SIGN_BROWSER_DIGEST) CHECK(told != NULL);
    if (told == NULL) return;
    CHECK(book->bound == told && book->bound_to == request->slot->grant); /* its server was told first */
    book->bound = NULL;
    told->until_ms = 0;
}

/* A worker's own channel can be over its time as well: then what it tells is not taken. What is no message, or none for
 * this channel, may bear the number of one that was; it ends the channel. */
static void check_refusal(struct book *book, struct book_request *request, enum refusal refusal)
{
    CHECK(refusal != REFUSAL_NONE && refusal != REFUSAL_INTERNAL);
    if (refusal == REFUSAL_UNEXPECTED) CHECK(find_expected(book, request->digests[0]) == NULL);
    if (refusal == REFUSAL_MALFORMED || refusal == REFUSAL_PURPOSE) return;
    if (request->kind != MSG_EXPECT_CLIENT || request->until_ms == 0) return;
    const struct book_slot *slot = request->slot;
    CHECK(refusal == REFUSAL_EXPIRED && slot->expires_ms != 0 && book->now_ms >= slot->expires_ms);
    request->until_ms = 0;
    request->proof->used = false;
}

void book_answered(struct book *book, struct book_slot *slot, const struct msg *answer)
{
    if (answer->kind == MSG_CLIENT_BOUND) {
        CHECK(answer->id > 0 && answer->id <= book->num_requests);
        book->bound = &book->requests[answer->id - 1];
        book->bound_to = answer->client_bound.handle;
        CHECK(book->bound->slot == slot && book->bound->kind == MSG_EXPECT_CLIENT);
        return;
    }
    struct book_request *request =
        answer->id > 0 && answer->id <= book->num_requests ? &book->requests[answer->id - 1] : NULL;
    if (answer->kind == MSG_REFUSAL) {
        if (request != NULL && request->slot == slot) check_refusal(book, request, answer->refusal);
        return;
    }
    if (answer->kind == MSG_SIGNATURE && slot->purpose != PURPOSE_TLS_SERVER) {
        CHECK(request != NULL && request->slot == slot);
        note_client_signature(book, request);
    } else if (answer->kind == MSG_SIGNATURE && request != NULL && request->slot == slot &&
               request->kind == MSG_SIGN_TLS13_SERVER) {
        note_proof(book, request, answer->signature);
    } else if (answer->kind == MSG_HANDLE_PINNED) {
        CHECK(request != NULL && request->slot == slot && slot->pinned == 0);
        slot->pinned = request->pid;
    }
}
