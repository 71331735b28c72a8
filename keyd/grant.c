#include "keyd/grant.h"

#include <stdio.h>

#include "base/check.h"

void grant_init(struct grant *grant, const struct keyd_grant *terms, uint64_t now_ms)
{
    CHECK(terms->grant != 0);
    *grant = (struct grant){
        .id = terms->grant,
        .purpose = terms->purpose,
        .expires_ms = terms->lifetime_s == 0 ? 0 : now_ms + UINT64_C(1000) * terms->lifetime_s,
        .max_signatures = terms->max_signatures,
    };
    snprintf(grant->label, sizeof(grant->label), "%s", terms->label);
    snprintf(grant->server, sizeof(grant->server), "%s", terms->server != NULL ? terms->server : "");
}

bool grant_is_pinnable(const struct grant *grant)
{
    return grant->purpose == PURPOSE_BROWSER_DIGEST;
}

bool grant_is_reported(const struct grant *grant)
{
    return grant->purpose != PURPOSE_TLS_SERVER;
}

static enum refusal check_process(const struct grant *grant, const struct ucred *sender)
{
    if (grant->pinned_pid == 0) return REFUSAL_NOT_PINNED;
    if (sender == NULL || (uint32_t)sender->pid != grant->pinned_pid) return REFUSAL_WRONG_PROCESS;
    return REFUSAL_NONE;
}

/* Once, and never to nobody. */
static enum refusal check_pin(const struct grant *grant, const struct ucred *sender)
{
    if (grant->pinned_pid != 0) return REFUSAL_WRONG_PROCESS;
    return sender == NULL || sender->pid <= 0 ? REFUSAL_NOT_PINNED : REFUSAL_NONE;
}

enum refusal grant_check(const struct grant *grant, enum grant_use use, const struct ucred *sender, uint64_t now_ms)
{
    enum refusal refusal = REFUSAL_NONE;
    if (use == GRANT_USE_PIN)
        refusal = check_pin(grant, sender);
    else if (grant_is_pinnable(grant))
        refusal = check_process(grant, sender);
    if (refusal != REFUSAL_NONE) return refusal;

    if (grant->expires_ms != 0 && now_ms >= grant->expires_ms) return REFUSAL_EXPIRED;
    if (use == GRANT_USE_SIGN && grant->max_signatures != 0 && grant->signatures >= grant->max_signatures)
        return REFUSAL_EXHAUSTED;
    return REFUSAL_NONE;
}

void grant_pin(struct grant *grant, const struct ucred *sender)
{
    CHECK(grant->pinned_pid == 0 && sender->pid > 0);
    grant->pinned_pid = (uint32_t)sender->pid;
}
