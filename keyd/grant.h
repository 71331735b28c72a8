/* A grant: what the holder of one channel may have done with a key, how often, until when, and by which process. */
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
    char server[LIMIT_NAME + 1]; /* the one that a command-line client's handle is for */
    uint64_t expires_ms;         /* on clock_monotonic_ms's scale; 0: with its channel */
    uint64_t max_signatures;     /* 0: no limit */
    uint64_t signatures;
    uint64_t refusals;
    uint32_t pinned_pid; /* 0: pinned to nobody yet */
};

/* What a request wants of a grant. */
enum grant_use {
    GRANT_USE_PIN,
    GRANT_USE_DESCRIBE,
    GRANT_USE_SIGN,
    GRANT_USE_EXPECT,
};

void grant_init(struct grant *grant, const struct keyd_grant *terms, uint64_t now_ms);

/* grant_check says whether the sender may use the grant in this way now. sender is NULL, or has pid 0, where the kernel
 * does not name one; then whatever needs pinning is refused. */
enum refusal grant_check(const struct grant *grant, enum grant_use use, const struct ucred *sender, uint64_t now_ms);

/* grant_pin ties the grant to the sender. Only after grant_check(GRANT_USE_PIN) allowed it. */
void grant_pin(struct grant *grant, const struct ucred *sender);

/* grant_is_pinnable says whether the grant signs for one pinned process alone. */
bool grant_is_pinnable(const struct grant *grant);

/* grant_is_reported says whether the broker hears of each signature; a web worker's are only counted. */
bool grant_is_reported(const struct grant *grant);

#endif
