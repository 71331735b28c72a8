#include "keyd/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Of one signature, in the unit of grant.spared: what a rate of 1 adds in a millisecond is 1. */
#define ONE_SIGNATURE 1000u

static uint64_t full(const struct grant *grant)
{
    return (uint64_t)ONE_SIGNATURE * grant->rate;
}

void grant_init(struct grant *grant, const struct keyd_grant *terms, uint64_t now_ms)
{
    CHECK(terms->grant != 0);
    *grant = (struct grant){
        .id = terms->grant,
        .purpose = terms->purpose,
        .expires_ms = terms->lifetime_s == 0 ? 0 : now_ms + UINT64_C(1000) * terms->lifetime_s,
        .max_signatures = terms->max_signatures,
        .rate = terms->rate,
        .spared_ms = now_ms,
        .pinned_pid = terms->pid,
    };
    grant->spared = full(grant);
    snprintf(grant->label, sizeof(grant->label), "%s", terms->label);
    snprintf(grant->server, sizeof(grant->server), "%s", terms->server != NULL ? terms->server : "");
}

bool grant_pin_ca(struct grant *grant, struct bytes ca)
{
    CHECK(grant->parent == NULL && grant->ca.len == 0);
    uint8_t *copy = malloc(ca.len);
    if (copy == NULL) return false;
    memcpy(copy, ca.data, ca.len);
    grant->ca = (struct bytes){copy, ca.len};
    return true;
}

/* Whether a limit is more than the parent's; 0 is as the parent's in what is asked, and no limit in what the parent has. */
static bool is_more(uint64_t asked, uint64_t parents)
{
    return parents != 0 && asked > parents;
}

static bool is_stronger(const struct grant *parent, const struct keyd_grant *terms, uint64_t now_ms)
{
    const uint64_t expires_ms = terms->lifetime_s == 0 ? 0 : now_ms + UINT64_C(1000) * terms->lifetime_s;
    const bool other_server =
        terms->server != NULL && terms->server[0] != '\0' && strcmp(terms->server, parent->server) != 0;
    const bool other_process = terms->pid != 0 && parent->pinned_pid != 0 && terms->pid != parent->pinned_pid;
    return terms->purpose != parent->purpose || is_more(expires_ms, parent->expires_ms) ||
           is_more(terms->max_signatures, parent->max_signatures) || is_more(terms->rate, parent->rate) ||
           other_server || other_process;
}

static unsigned depth(const struct grant *grant)
{
    unsigned num = 0;
    for (; grant->parent != NULL; grant = grant->parent) num++;
    return num;
}

enum refusal grant_derive(struct grant *grant, struct grant *parent, const struct keyd_grant *terms, uint64_t now_ms)
{
    CHECK(terms->grant != 0);
    if (!grant_is_reported(parent)) return REFUSAL_PURPOSE;
    if (parent->expires_ms != 0 && now_ms >= parent->expires_ms) return REFUSAL_EXPIRED;
    if (is_stronger(parent, terms, now_ms)) return REFUSAL_STRONGER;
    if (depth(parent) >= LIMIT_GRANT_DEPTH || terms->ca.len > 0) return REFUSAL_PARAMETERS;
    /* A copy, so that what is added to a grant one day is inherited too. */
    *grant = *parent;
    grant->id = terms->grant;
    if (terms->lifetime_s != 0) grant->expires_ms = now_ms + UINT64_C(1000) * terms->lifetime_s;
    if (terms->max_signatures != 0) grant->max_signatures = terms->max_signatures;
    if (terms->rate != 0) grant->rate = terms->rate;
    if (terms->pid != 0) grant->pinned_pid = terms->pid;
    snprintf(grant->label, sizeof(grant->label), "%s", terms->label);
    grant->signatures = grant->refusals = 0;
    grant->spared = full(grant);
    grant->spared_ms = now_ms;

    grant->parent = parent;
    grant->first_child = grant->prev_sibling = NULL;
    grant->next_sibling = parent->first_child;
    if (grant->next_sibling != NULL) grant->next_sibling->prev_sibling = grant;
    parent->first_child = grant;
    return REFUSAL_NONE;
}

void grant_leave(struct grant *grant)
{
    CHECK(grant->first_child == NULL);
    if (grant->parent == NULL) free((void *)(uintptr_t)grant->ca.data);
    grant->ca = (struct bytes){NULL, 0};
    if (grant->parent == NULL) return;
    *(grant->prev_sibling != NULL ? &grant->prev_sibling->next_sibling : &grant->parent->first_child) =
        grant->next_sibling;
    if (grant->next_sibling != NULL) grant->next_sibling->prev_sibling = grant->prev_sibling;
    grant->parent = NULL;
}

bool grant_is_pinnable(const struct grant *grant)
{
    return grant->purpose == PURPOSE_BROWSER_DIGEST || grant->purpose == PURPOSE_GATEWAY;
}

bool grant_is_reported(const struct grant *grant)
{
    return grant->purpose != PURPOSE_TLS_SERVER;
}

/* Who is pinned is the one; where nobody is, a browser's or its gateway's handle is for nobody, and another one for everybody. */
static enum refusal check_process(const struct grant *grant, const struct ucred *sender)
{
    if (grant->pinned_pid == 0) return grant_is_pinnable(grant) ? REFUSAL_NOT_PINNED : REFUSAL_NONE;
    if (sender == NULL || (uint32_t)sender->pid != grant->pinned_pid) return REFUSAL_WRONG_PROCESS;
    return REFUSAL_NONE;
}

/* Once, and never to nobody. */
static enum refusal check_pin(const struct grant *grant, const struct ucred *sender)
{
    if (grant->pinned_pid != 0) return REFUSAL_WRONG_PROCESS;
    return sender == NULL || sender->pid <= 0 ? REFUSAL_NOT_PINNED : REFUSAL_NONE;
}

/* A bucket that holds one second's worth and never more. */
static uint64_t spared(const struct grant *grant, uint64_t now_ms)
{
    const uint64_t passed_ms = now_ms - grant->spared_ms;
    if (passed_ms >= ONE_SIGNATURE) return full(grant);
    const uint64_t sum = grant->spared + passed_ms * grant->rate;
    return sum < full(grant) ? sum : full(grant);
}

static enum refusal check_limits(const struct grant *grant, enum grant_use use, uint64_t now_ms)
{
    if (grant->expires_ms != 0 && now_ms >= grant->expires_ms) return REFUSAL_EXPIRED;
    if (use != GRANT_USE_SIGN) return REFUSAL_NONE;
    if (grant->max_signatures != 0 && grant->signatures >= grant->max_signatures) return REFUSAL_EXHAUSTED;
    return grant->rate != 0 && spared(grant, now_ms) < ONE_SIGNATURE ? REFUSAL_RATE : REFUSAL_NONE;
}

enum refusal grant_check(const struct grant *grant, enum grant_use use, const struct ucred *sender, uint64_t now_ms)
{
    enum refusal refusal = use == GRANT_USE_PIN ? check_pin(grant, sender) : check_process(grant, sender);
    if (refusal == REFUSAL_NONE) refusal = check_limits(grant, use, now_ms);
    for (const struct grant *above = grant->parent; above != NULL && refusal == REFUSAL_NONE; above = above->parent) {
        /* A derived handle may be pinned first, but not to somebody else. */
        const bool is_open = use == GRANT_USE_PIN && above->pinned_pid == 0;
        if (!is_open) refusal = check_process(above, sender);
        if (refusal == REFUSAL_NONE) refusal = check_limits(above, use, now_ms);
    }
    return refusal;
}

void grant_charge(struct grant *grant, uint64_t now_ms)
{
    for (; grant != NULL; grant = grant->parent) {
        grant->signatures++;
        if (grant->rate == 0) continue;
        const uint64_t left = spared(grant, now_ms);
        grant->spared = left > ONE_SIGNATURE ? left - ONE_SIGNATURE : 0;
        grant->spared_ms = now_ms;
    }
}

void grant_pin(struct grant *grant, const struct ucred *sender)
{
    CHECK(grant->pinned_pid == 0 && sender->pid > 0);
    grant->pinned_pid = (uint32_t)sender->pid;
}
