/* Where an application that is elsewhere can be reached. */
#ifndef KEYWARD_BROKER_UPSTREAM_LOOKUP_H
#define KEYWARD_BROKER_UPSTREAM_LOOKUP_H

#include "broker/upstream.h"

/* In the order in which they are to be tried (RFC 6724, as libc sorts them). */
struct upstream_addresses {
    struct address list[LIMIT_UPSTREAM_ADDRESSES];
    size_t num;
};

/* upstream_lookup looks up where a place with TLS is. It blocks, reads files, and asks the network: only at the start, before the sandbox. More addresses than there is room for are left out. ERR_INPUT with a diagnostic. */
MUST_CHECK enum err upstream_lookup(struct upstream_addresses *out, const struct upstream_place *place,
                                    struct diag *diag);

#endif
