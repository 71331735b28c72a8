/* Streams as options give them: where one listens, and where its bytes go. */
#ifndef KEYWARD_BROKER_STREAM_PLACE_H
#define KEYWARD_BROKER_STREAM_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "broker/address.h"

struct stream_place {
    char name[ADDRESS_TEXT]; /* where it listens, as it was given */
    struct address listen;
    char upstream[LIMIT_STREAM_UPSTREAM + 1]; /* as it was given; empty: not yet */
    struct address address;                   /* its: AF_UNIX with an absolute path, or TCP on a loopback address */
    uint32_t idle_s;                          /* 0: not given */
    bool has_proxy_protocol;                  /* it is given: */
    bool proxy_protocol;
};

/* stream_place_name takes the first len bytes of text as the name, ADDR:PORT. ERR_INPUT with what is wrong. */
MUST_CHECK enum err stream_place_name(struct stream_place *out, const char *text, size_t len, struct diag *diag);

/* stream_place_upstream reads unix:/PATH or ADDR:PORT. ERR_INPUT with what is wrong. */
MUST_CHECK enum err stream_place_upstream(struct stream_place *out, const char *text, struct diag *diag);

#endif
