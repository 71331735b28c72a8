/* The table of grants: every channel to keyd that the broker has given out, and what keyd told about it. Nothing here
 * costs more because much is in the table, except for walking it. */
#ifndef KEYWARD_BROKER_HANDLES_H
#define KEYWARD_BROKER_HANDLES_H

#include <stddef.h>

#include "base/number_table.h"
#include "proto/message.h"

/* Signatures a second of a minted handle, if nothing is said: each leaves a record in the audit log, whose file system a
 * holder is not to fill. */
#define HANDLE_RATE 100u

/* Handles that command-line clients may have at one time; the rest is for the web workers and the browser. */
#define HANDLES_MINTED_MAX 12288u

struct handle {
    uint64_t id; /* the grant's number; never used again */
    enum purpose purpose;
    char label[LIMIT_LABEL + 1];
    char server[LIMIT_NAME + 1];
    char ca[2 * 32 + 1]; /* the fingerprint of the CA that a foreign server's is pinned to; empty: none */
    uint64_t expires;    /* on clock_monotonic_ms's scale; 0: with its channel */
    uint64_t max_signatures;
    uint64_t signatures; /* through it and those derived from it */
    uint64_t refusals;
    uint32_t rate;
    uint32_t pinned_pid;
    struct handle *parent; /* NULL: it was not derived */
    struct handle *first_child, *next_sibling, *prev_sibling;
    struct handle *next, *prev; /* in the order of their numbers */
    size_t due;                 /* its place among those that expire, from 1; 0: it does not */
};

/* Zero state: empty. */
struct handles {
    struct handle slots[LIMIT_GRANTS];
    size_t num_slots; /* that were ever in use; memory behind them was never touched */
    struct handle *free;
    struct handle *first, *last;
    size_t num;
    size_t num_of[PURPOSE_NUM];
    uint64_t last_id;
    struct number_table by_id;
    size_t num_due;
    struct handle *due[LIMIT_GRANTS]; /* a heap: the next to expire is the first */
};

/* handles_add makes a row; the terms are those of KEYD_GRANT, but for the number, which is chosen here. What a derived one
 * inherits is filled in; whether it may be so is keyd's to say. NULL: the table is full, or the parent is not in it. */
struct handle *handles_add(struct handles *handles, const struct keyd_grant *terms, uint64_t now);

struct handle *handles_find(struct handles *handles, uint64_t id);

/* handles_above returns the first row with a number above id, NULL: none. Free where id is in the table itself. */
struct handle *handles_above(struct handles *handles, uint64_t id);

/* handles_remove removes the row, if it is there, and all that were derived from it. */
void handles_remove(struct handles *handles, uint64_t id);

/* handles_clear forgets all: keyd is gone, and every channel with it. Numbers go on. */
void handles_clear(struct handles *handles);

/* handles_expired returns a row whose time is over, or NULL. */
struct handle *handles_expired(struct handles *handles, uint64_t now);

/* handles_next_expiry returns when the next one expires, 0 if none does. */
uint64_t handles_next_expiry(const struct handles *handles);

/* handles_lent returns how many somebody holds. */
size_t handles_lent(const struct handles *handles);

/* handle_is_lent says whether it is a handle that somebody holds, and not a web worker's own channel. */
bool handle_is_lent(const struct handle *handle);

/* handle_depth returns how many stand above it. */
size_t handle_depth(const struct handle *handle);

#endif
