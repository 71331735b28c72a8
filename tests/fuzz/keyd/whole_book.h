/* The policy's own books beside keyd's: what was granted, told, pinned and signed, as a fuzz target sees it from outside.
 * Every answer of keyd is held against them; one that the policy forbids, or a refusal that it does not, fails a CHECK. */
#ifndef KEYWARD_TESTS_FUZZ_KEYD_WHOLE_BOOK_H
#define KEYWARD_TESTS_FUZZ_KEYD_WHOLE_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keyd/keystore.h"
#include "proto/message.h"

#define BOOK_SLOTS 8u
#define BOOK_REQUESTS 512u /* in one input, and so at most as many proofs and handshakes */
#define BOOK_HASHES 4u     /* different ClientHellos */
#define BOOK_MESSAGES 4096u

/* A channel. What the holder does is charged to it and to all above it. */
struct book_slot {
    bool open;
    uint64_t grant;
    enum purpose purpose;
    struct book_slot *parent;
    uint64_t expires_ms; /* 0: never */
    uint64_t max, signatures;
    uint32_t rate, pinned;
    uint64_t times[16]; /* of the last signatures; the newest is times[(signatures - 1) % 16] */
};

/* A CertificateVerify that keyd made for a server. */
struct book_proof {
    const struct book_slot *slot;
    unsigned hash;
    uint64_t until_ms;
    bool used;
    uint8_t signature[SCHEME_SIGNATURE];
    size_t signature_len;
};

/* What was asked: request i has the id i + 1. */
struct book_request {
    struct book_slot *slot;
    enum msg_kind kind;
    uint32_t pid;
    unsigned hash;            /* SIGN_TLS13_SERVER */
    struct book_proof *proof; /* EXPECT_CLIENT, SIGN_TLS13_CLIENT: the one inside */
    bool genuine;             /* the messages are as they should be */
    uint8_t digests[2][32]; /* what the client of such a handshake signs; SIGN_BROWSER_DIGEST: the first is asked for */
    uint64_t until_ms;      /* EXPECT_CLIENT: the expectation's; 0: there is none, or it is used */
};

struct book {
    const struct keystore *keystore;
    uint64_t now_ms;
    struct book_slot slots[BOOK_SLOTS];
    struct book_proof proofs[BOOK_REQUESTS];
    size_t num_proofs;
    struct book_request requests[BOOK_REQUESTS];
    size_t num_requests;
    const struct book_request *bound; /* the handshake whose server was told last, and of which handle */
    uint64_t bound_to;
    uint64_t num_signatures; /* with the client's key */
};

/* book_messages writes a handshake's messages with this ClientHello and this signature in its CertificateVerify, up to the
 * server's Finished, and returns their length; book_add_client adds the client's Certificate of num certificates. */
size_t book_messages(uint8_t out[BOOK_MESSAGES], const struct book *book, unsigned hash, struct bytes signature);
size_t book_add_client(uint8_t out[BOOK_MESSAGES], size_t len, const struct book *book, size_t num);

/* book_signed_hash writes the hash that the server's CertificateVerify is over. */
void book_signed_hash(uint8_t out[32], const struct book *book, unsigned hash);

/* book_client_digest writes what the client signs whose handshake has these messages. */
void book_client_digest(uint8_t out[32], const uint8_t *messages, size_t len);

/* book_grant notes a grant that keyd has taken; book_close that a channel is closed, and all that came from it. */
void book_grant(struct book_slot *slot, struct book_slot *parent, const struct keyd_grant *terms, uint64_t now_ms);
void book_close(struct book *book, struct book_slot *slot);

/* book_asked is to be called when keyd has read a request, and book_answered when it answers one. */
void book_asked(struct book *book, struct book_request *request);
void book_answered(struct book *book, struct book_slot *slot, const struct msg *answer);

#endif
