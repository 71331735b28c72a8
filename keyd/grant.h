/* A grant: what the holder of one channel may have done with a key, how often, how fast, until when, and by which process.
 *
 * A grant may be derived from another, its parent, and is weaker or the same in every respect. What its holder does counts
 * for the parent too, and for the parent's parent, and is done only if each of them allows it: a grant and all that came
 * of it together do no more than the grant alone could. */
#ifndef KEYWARD_KEYD_GRANT_H
#define KEYWARD_KEYD_GRANT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/message.h"

struct grant {
    uint64_t id; /* the broker's name for it; 0: none */
    enum purpose purpose;
    char label[LIMIT_LABEL + 1];
    char server[LIMIT_NAME + 1]; /* the one that a command-line client's or a gateway's handle is for */
    struct bytes ca;             /* the CA that this one is pinned to, DER; empty: it is this system's own server. It is
                                  * the copy of the grant that it was derived from, in the end */
    uint64_t expires_ms;         /* on clock_monotonic_ms's scale; 0: with its channel */
    uint64_t max_signatures;     /* 0: no limit */
    uint64_t signatures;         /* its own and its descendants' */
    uint64_t refusals;
    uint32_t rate;   /* signatures a second, and how many of them at once; 0: no limit */
    uint64_t spared; /* thousandths of a signature that the rate allows now, as of spared_ms */
    uint64_t spared_ms;
    uint32_t pinned_pid;  /* 0: pinned to nobody yet */
    struct grant *parent; /* NULL: it was not derived. All of a grant's descendants end before it does */
    struct grant *first_child, *next_sibling, *prev_sibling;
};

/* What a request wants of a grant. */
enum grant_use {
    GRANT_USE_PIN,
    GRANT_USE_DESCRIBE,
    GRANT_USE_SIGN,
    GRANT_USE_EXPECT,
};

/* grant_init makes a grant that was not derived; terms->parent is 0. */
void grant_init(struct grant *grant, const struct keyd_grant *terms, uint64_t now_ms);

/* grant_derive makes a grant from parent; a term of 0, or no server, is as the parent has it. It stays where it is until
 * grant_leave. REFUSAL_STRONGER: a term is more than the parent has. REFUSAL_PURPOSE: nothing is derived from a web
 * worker's. REFUSAL_PARAMETERS: it has LIMIT_GRANT_DEPTH above it, or is to have a CA of its own. REFUSAL_EXPIRED: the parent's time is over. */
enum refusal grant_derive(struct grant *grant, struct grant *parent, const struct keyd_grant *terms, uint64_t now_ms);

/* grant_leave takes a grant without children from its parent; one that has none gives up its CA. */
void grant_leave(struct grant *grant);
/* grant_pin_ca keeps a copy of the CA for a grant that was not derived and all that will be, until grant_leave. False: no
 * memory. */
bool grant_pin_ca(struct grant *grant, struct bytes ca);

/* grant_check says whether the sender may use the grant in this way now. sender is NULL, or has pid 0, where the kernel
 * does not name one; then whatever needs pinning is refused. */
enum refusal grant_check(const struct grant *grant, enum grant_use use, const struct ucred *sender, uint64_t now_ms);

/* grant_charge counts one signature, after grant_check(GRANT_USE_SIGN) allowed it at the same time. */
void grant_charge(struct grant *grant, uint64_t now_ms);

/* grant_pin ties the grant to the sender. Only after grant_check(GRANT_USE_PIN) allowed it. */
void grant_pin(struct grant *grant, const struct ucred *sender);

/* grant_is_pinnable says whether the grant signs for one pinned process alone. */
bool grant_is_pinnable(const struct grant *grant);

/* grant_is_reported says whether the broker hears of each signature; a web worker's are only counted. */
bool grant_is_reported(const struct grant *grant);

#endif
