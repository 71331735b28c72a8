/* keyd's certificates, as the broker keeps them. */
#ifndef KEYWARD_BROKER_IDENTITY_H
#define KEYWARD_BROKER_IDENTITY_H

#include <stdbool.h>

#include "proto/codec.h"

/* The message stays in an arena of its own. */
struct identity {
    bool present;
    uint64_t setup; /* the id of the KEYD_SETUP that it answers */
    struct codec_arena *arena;
    struct keyd_identity value;
};

#endif
