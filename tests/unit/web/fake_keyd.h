/* The other end of a signing channel: answers with the real codec and a real key, or does not. It has no thread; the
 * test says when it looks at its channel. */
#ifndef KEYWARD_TESTS_UNIT_WEB_FAKE_KEYD_H
#define KEYWARD_TESTS_UNIT_WEB_FAKE_KEYD_H

#include <openssl/base.h>
#include <stdint.h>

#include "proto/link.h"

enum fake_keyd_mood {
    KEYD_SIGNS,
    KEYD_SILENT, /* takes requests, keeps the last one's id, answers nothing */
    KEYD_ASLEEP, /* does not even read */
    KEYD_REFUSES,
    KEYD_GARBAGE,       /* answers bytes that are not a message */
    KEYD_WRONG_ID,      /* signs, for another id */
    KEYD_WRONG_KIND,    /* answers a message that keyd does not send */
    KEYD_BAD_SIGNATURE, /* signs something else */
    KEYD_LONG_SIGNATURE,
    KEYD_CLOSES,
    KEYD_DOUBTS, /* signs, and refuses what is expected of clients */
};

struct fake_keyd {
    struct link link;
    struct codec_arena *arena;
    EVP_PKEY *key; /* not owned */
    enum fake_keyd_mood mood;
    unsigned num_requests;
    uint64_t last_id;
    enum msg_kind last_kind;
    unsigned num_expected; /* EXPECT_CLIENTs, which do not count as requests */
    uint64_t expected_id;
    uint64_t parent;   /* 0, or the handle that any that is named was derived from */
    uint64_t binds_to; /* 0, or the handle that is then named for each EXPECT_CLIENT at once */
    uint8_t expected[LIMIT_TRANSCRIPT];
    size_t expected_len;
};

/* fake_keyd_open makes the channel and returns the end for the signer. */
int fake_keyd_open(struct fake_keyd *keyd, EVP_PKEY *key);

/* fake_keyd_step takes and answers all requests there are. */
void fake_keyd_step(struct fake_keyd *keyd);

/* fake_keyd_answer sends a signature (of nothing in particular) for the given id. */
void fake_keyd_answer(struct fake_keyd *keyd, uint64_t id);

/* fake_keyd_bind says that the client of the last EXPECT_CLIENT uses this handle. */
void fake_keyd_bind(struct fake_keyd *keyd, uint64_t handle);

void fake_keyd_close(struct fake_keyd *keyd);

#endif
