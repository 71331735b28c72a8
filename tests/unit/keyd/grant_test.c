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
}
