/* The table of grants: every channel to keyd that the broker has given out, and what keyd told about it. */
#ifndef KEYWARD_BROKER_HANDLES_H
#define KEYWARD_BROKER_HANDLES_H

#include <stddef.h>

#include "proto/message.h"

/* Handles that command-line clients may have at one time; the rest is for the web workers and the browser. */
#define HANDLES_MINTED_MAX 256u

struct handle {
    uint64_t id; /* the grant's number; never used again */
    enum purpose purpose;
    char label[LIMIT_LABEL + 1];
    uint64_t expires; /* on clock_monotonic_ms's scale; 0: with its channel */
    uint64_t max_signatures;
    uint64_t signatures;
    uint64_t refusals;
    uint32_t pinned_pid;
};

struct handles {
    struct handle rows[LIMIT_GRANTS];
    size_t num;
    uint64_t last_id;
};

/* handles_add makes a row; lifetime_s and max_signatures as in KEYD_GRANT. NULL: the table is full. The pointer is good
 * until the next change of the table. */
struct handle *handles_add(struct handles *handles, enum purpose purpose, const char *label, uint32_t lifetime_s,
                           uint64_t max_signatures, uint64_t now);

struct handle *handles_find(struct handles *handles, uint64_t id);
void handles_remove(struct handles *handles, uint64_t id);

/* handles_clear forgets all: keyd is gone, and every channel with it. Numbers go on. */
void handles_clear(struct handles *handles);

/* handles_expired returns a row whose time is over, or NULL. */
struct handle *handles_expired(struct handles *handles, uint64_t now);

/* handles_next_expiry returns when the next one expires, 0 if none does. */
uint64_t handles_next_expiry(const struct handles *handles);

size_t handles_count(const struct handles *handles, enum purpose purpose);

/* handle_is_lent says whether it is a handle that somebody holds, and not a web worker's own channel. */
bool handle_is_lent(const struct handle *handle);

#endif
