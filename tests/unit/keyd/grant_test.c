#include "keyd/grant.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct ucred alice = {.pid = 100, .uid = 1000}, bob = {.pid = 101, .uid = 1000}, nobody = {.pid = 0};

static struct grant make(enum purpose purpose, uint32_t lifetime_s, uint64_t max_signatures)
{
    struct grant grant;
    const struct keyd_grant terms = {
        .grant = 7, .purpose = purpose, .label = "kiosk", .lifetime_s = lifetime_s, .max_signatures = max_signatures};
    grant_init(&grant, &terms, 1000);
    return grant;
}

Test(grant, keeps_its_terms)
{
    const struct grant grant = make(PURPOSE_TLS_CLIENT, 60, 5);
    cr_assert_eq(grant.id, 7);
    cr_assert_eq(grant.purpose, PURPOSE_TLS_CLIENT);
    cr_assert_str_eq(grant.label, "kiosk");
    cr_assert_eq(grant.expires_ms, 61000);
    cr_assert_eq(grant.max_signatures, 5);
    cr_assert_eq(grant.pinned_pid, 0);
}

Test(grant, expires_to_the_millisecond)
{
    const struct grant grant = make(PURPOSE_TLS_CLIENT, 60, 0);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 60999), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 61000), REFUSAL_EXPIRED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_DESCRIBE, NULL, 61000), REFUSAL_EXPIRED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, UINT64_MAX), REFUSAL_EXPIRED);
}

Test(grant, lives_as_long_as_its_channel_by_default)
{
    const struct grant grant = make(PURPOSE_TLS_SERVER, 0, 0);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, UINT64_MAX), REFUSAL_NONE);
}

Test(grant, the_longest_lifetime_does_not_wrap)
{
    const struct grant grant = make(PURPOSE_TLS_CLIENT, UINT32_MAX, 0);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000 + UINT64_C(1000) * UINT32_MAX - 1), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000 + UINT64_C(1000) * UINT32_MAX), REFUSAL_EXPIRED);
}

Test(grant, counts_to_the_last_signature)
{
    struct grant grant = make(PURPOSE_TLS_CLIENT, 0, 2);
    grant.signatures = 1;
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000), REFUSAL_NONE);
    grant.signatures = 2;
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000), REFUSAL_EXHAUSTED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_DESCRIBE, NULL, 1000), REFUSAL_NONE);
    grant.max_signatures = 0;
    grant.signatures = UINT64_MAX;
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000), REFUSAL_NONE);
}

Test(grant, signs_for_nobody_before_it_is_pinned)
{
    const struct grant grant = make(PURPOSE_BROWSER_DIGEST, 0, 0);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &alice, 1000), REFUSAL_NOT_PINNED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_DESCRIBE, &alice, 1000), REFUSAL_NOT_PINNED);
    /* 0 is nobody's pid, and not the same as being pinned to nobody yet. */
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &nobody, 1000), REFUSAL_NOT_PINNED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000), REFUSAL_NOT_PINNED);
}

Test(grant, is_pinned_once_and_for_good)
{
    struct grant grant = make(PURPOSE_BROWSER_DIGEST, 0, 0);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, NULL, 1000), REFUSAL_NOT_PINNED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, &nobody, 1000), REFUSAL_NOT_PINNED);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, &alice, 1000), REFUSAL_NONE);
    grant_pin(&grant, &alice);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, &alice, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, &bob, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &alice, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_DESCRIBE, &alice, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &bob, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_DESCRIBE, &bob, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &nobody, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000), REFUSAL_WRONG_PROCESS);
}

Test(grant, cannot_be_pinned_when_it_has_expired)
{
    const struct grant grant = make(PURPOSE_BROWSER_DIGEST, 1, 0);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, &alice, 1999), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_PIN, &alice, 2000), REFUSAL_EXPIRED);
}

Test(grant, only_handles_are_reported)
{
    const struct grant server = make(PURPOSE_TLS_SERVER, 0, 0), client = make(PURPOSE_TLS_CLIENT, 0, 0),
                       browser = make(PURPOSE_BROWSER_DIGEST, 0, 0);
    cr_assert_not(grant_is_reported(&server));
    cr_assert(grant_is_reported(&client));
    cr_assert(grant_is_reported(&browser));
    cr_assert(grant_is_pinnable(&browser));
    cr_assert_not(grant_is_pinnable(&client));
    const struct grant gateway = make(PURPOSE_GATEWAY, 0, 0);
    cr_assert(grant_is_reported(&gateway));
    cr_assert(grant_is_pinnable(&gateway));
}

/* ---- Rates ------------------------------------------------------------------------------------------------------ */

static enum refusal sign(struct grant *grant, uint64_t now_ms)
{
    const enum refusal refusal = grant_check(grant, GRANT_USE_SIGN, NULL, now_ms);
    if (refusal == REFUSAL_NONE) grant_charge(grant, now_ms);
    return refusal;
}

static struct grant make_rate(uint32_t rate)
{
    struct grant grant;
    const struct keyd_grant terms = {.grant = 7, .purpose = PURPOSE_TLS_CLIENT, .label = "", .rate = rate};
    grant_init(&grant, &terms, 1000);
    return grant;
}

Test(grant, has_one_seconds_worth_at_once)
{
    struct grant grant = make_rate(3);
    for (int i = 0; i < 3; i++) cr_assert_eq(sign(&grant, 1000), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, 1000), REFUSAL_RATE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_DESCRIBE, NULL, 1000), REFUSAL_NONE);
    /* A third of a second for each: 334 ms, as clocks go. */
    cr_assert_eq(sign(&grant, 1333), REFUSAL_RATE);
    cr_assert_eq(sign(&grant, 1334), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, 1334), REFUSAL_RATE);
    cr_assert_eq(sign(&grant, 1666), REFUSAL_RATE);
    cr_assert_eq(sign(&grant, 1667), REFUSAL_NONE);
}

Test(grant, saves_no_more_than_one_seconds_worth)
{
    struct grant grant = make_rate(2);
    for (int i = 0; i < 2; i++) cr_assert_eq(sign(&grant, 1000), REFUSAL_NONE);
    for (int i = 0; i < 2; i++) cr_assert_eq(sign(&grant, 1000000), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, 1000000), REFUSAL_RATE);
}

/* Full as it is, it gains nothing in what is less than a second. */
Test(grant, gains_nothing_when_it_is_full)
{
    struct grant grant = make_rate(2);
    for (int i = 0; i < 2; i++) cr_assert_eq(sign(&grant, 1999), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, 1999), REFUSAL_RATE);
}

Test(grant, a_refusal_costs_nothing)
{
    struct grant grant = make_rate(1);
    cr_assert_eq(sign(&grant, 1000), REFUSAL_NONE);
    for (uint64_t now = 1001; now < 2000; now++) cr_assert_eq(sign(&grant, now), REFUSAL_RATE);
    cr_assert_eq(sign(&grant, 2000), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, 2999), REFUSAL_RATE);
    cr_assert_eq(sign(&grant, 3000), REFUSAL_NONE);
}

Test(grant, the_highest_rate_does_not_wrap)
{
    struct grant grant = make_rate(UINT32_MAX);
    for (int i = 0; i < 1000; i++) cr_assert_eq(sign(&grant, 1000), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, 1999), REFUSAL_NONE);
    cr_assert_eq(sign(&grant, UINT64_MAX), REFUSAL_NONE);
}

/* 2^31 a second for 2^33 ms is 2^64. */
Test(grant, the_longest_wait_does_not_wrap)
{
    struct grant grant = make_rate(UINT32_C(1) << 31);
    grant.spared = 0;
    cr_assert_eq(sign(&grant, 1000), REFUSAL_RATE);
    cr_assert_eq(sign(&grant, 1000 + (UINT64_C(1) << 33)), REFUSAL_NONE);
}

Test(grant, over_a_minute_keeps_to_its_rate)
{
    struct grant grant = make_rate(7);
    unsigned num = 0;
    for (uint64_t now = 1000; now < 61000; now++) num += sign(&grant, now) == REFUSAL_NONE;
    cr_assert_eq(num, 7 + 7 * 60 - 1, "%u", num); /* the last one is due at 61000 */
}

/* ---- One process ------------------------------------------------------------------------------------------------ */

Test(grant, may_be_for_one_process_from_the_start)
{
    struct grant grant;
    const struct keyd_grant terms = {.grant = 7, .purpose = PURPOSE_TLS_CLIENT, .label = "", .pid = 100};
    grant_init(&grant, &terms, 1000);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &alice, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &bob, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &nobody, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, NULL, 1000), REFUSAL_WRONG_PROCESS);
    grant.pinned_pid = 0;
    cr_assert_eq(grant_check(&grant, GRANT_USE_SIGN, &bob, 1000), REFUSAL_NONE);
}
