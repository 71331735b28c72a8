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

/* ---- Deriving --------------------------------------------------------------------------------------------------- */

/* All that can be limited is. Made at 1000, expires at 61000. */
static const struct keyd_grant whole = {.grant = 1,
                                        .purpose = PURPOSE_TLS_CLIENT,
                                        .label = "whole",
                                        .lifetime_s = 60,
                                        .max_signatures = 10,
                                        .server = "localhost",
                                        .rate = 5,
                                        .pid = 100};
static const struct keyd_grant part = {.grant = 2, .purpose = PURPOSE_TLS_CLIENT, .label = "part", .server = ""};
static struct grant parent, child;

static enum refusal derive(struct keyd_grant terms, uint64_t now_ms)
{
    grant_init(&parent, &whole, 1000);
    return grant_derive(&child, &parent, &terms, now_ms);
}

static void make_parent(void)
{
    grant_init(&parent, &whole, 1000);
}

TestSuite(derive, .init = make_parent);

Test(derive, nothing_said_is_as_the_parent)
{
    parent.signatures = 3;
    parent.refusals = 4;
    cr_assert_eq(grant_derive(&child, &parent, &part, 2000), REFUSAL_NONE);
    cr_assert_eq(child.id, 2);
    cr_assert_str_eq(child.label, "part");
    cr_assert_str_eq(child.server, "localhost");
    cr_assert_eq(child.purpose, PURPOSE_TLS_CLIENT);
    cr_assert_eq(child.expires_ms, 61000);
    cr_assert_eq(child.max_signatures, 10);
    cr_assert_eq(child.rate, 5);
    cr_assert_eq(child.pinned_pid, 100);
    cr_assert_eq(child.signatures + child.refusals, 0);
    cr_assert_eq(child.parent, &parent);
    cr_assert_eq(parent.first_child, &child);
}

Test(derive, at_each_edge_and_one_beyond)
{
    struct keyd_grant terms = part;
    terms.lifetime_s = 59;
    cr_assert_eq(derive(terms, 2000), REFUSAL_NONE);
    cr_assert_eq(child.expires_ms, 61000);
    cr_assert_eq(derive(terms, 2001), REFUSAL_STRONGER, "it ends a millisecond later");
    cr_assert_eq(derive(terms, 1999), REFUSAL_NONE);
    cr_assert_eq(child.expires_ms, 60999);
    terms = part;
    for (terms.max_signatures = 9; terms.max_signatures <= 11; terms.max_signatures++) {
        cr_assert_eq(derive(terms, 2000), terms.max_signatures <= 10 ? REFUSAL_NONE : REFUSAL_STRONGER);
        if (terms.max_signatures <= 10) cr_assert_eq(child.max_signatures, terms.max_signatures);
    }
    terms = part;
    for (terms.rate = 4; terms.rate <= 6; terms.rate++) {
        cr_assert_eq(derive(terms, 2000), terms.rate <= 5 ? REFUSAL_NONE : REFUSAL_STRONGER);
        if (terms.rate <= 5) cr_assert_eq(child.rate, terms.rate);
    }
    terms = part;
    for (terms.pid = 99; terms.pid <= 101; terms.pid++)
        cr_assert_eq(derive(terms, 2000), terms.pid == 100 ? REFUSAL_NONE : REFUSAL_STRONGER);
    terms = part;
    terms.server = "localhost";
    cr_assert_eq(derive(terms, 2000), REFUSAL_NONE);
    terms.server = "localhos";
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
    terms.server = "localhost.";
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
    terms = part;
    terms.purpose = PURPOSE_BROWSER_DIGEST;
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
    terms.purpose = PURPOSE_TLS_SERVER;
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
}

/* The longest lifetime and the largest numbers are more than any limit, and wrap nothing. */
Test(derive, the_most_is_stronger)
{
    struct keyd_grant terms = part;
    terms.lifetime_s = UINT32_MAX;
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
    terms = part;
    terms.max_signatures = UINT64_MAX;
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
    terms = part;
    terms.rate = UINT32_MAX;
    cr_assert_eq(derive(terms, 2000), REFUSAL_STRONGER);
}

Test(derive, any_limit_is_weaker_than_none)
{
    const struct keyd_grant endless = {.grant = 1, .purpose = PURPOSE_TLS_CLIENT, .label = "", .server = "localhost"};
    struct keyd_grant terms = part;
    terms.lifetime_s = UINT32_MAX;
    terms.max_signatures = UINT64_MAX;
    terms.rate = UINT32_MAX;
    terms.pid = 7;
    grant_init(&parent, &endless, 1000);
    cr_assert_eq(grant_derive(&child, &parent, &terms, 2000), REFUSAL_NONE);
    cr_assert_eq(child.expires_ms, 2000 + UINT64_C(1000) * UINT32_MAX);
    cr_assert_eq(child.pinned_pid, 7);
}

Test(derive, nothing_comes_of_what_has_expired)
{
    cr_assert_eq(derive(part, 60999), REFUSAL_NONE);
    cr_assert_eq(derive(part, 61000), REFUSAL_EXPIRED);
}

Test(derive, nothing_comes_of_a_web_workers)
{
    struct grant server = make(PURPOSE_TLS_SERVER, 0, 0);
    struct keyd_grant terms = part;
    terms.purpose = PURPOSE_TLS_SERVER;
    cr_assert_eq(grant_derive(&child, &server, &terms, 2000), REFUSAL_PURPOSE);
}

Test(derive, each_use_counts_for_all_above)
{
    static struct grant line[LIMIT_GRANT_DEPTH + 2];
    line[0] = parent;
    for (unsigned i = 1; i <= LIMIT_GRANT_DEPTH; i++)
        cr_assert_eq(grant_derive(&line[i], &line[i - 1], &part, 1000), REFUSAL_NONE, "%u", i);
    cr_assert_eq(grant_derive(&line[LIMIT_GRANT_DEPTH + 1], &line[LIMIT_GRANT_DEPTH], &part, 1000), REFUSAL_PARAMETERS);
    cr_assert_null(line[LIMIT_GRANT_DEPTH].first_child);
    struct grant *last = &line[LIMIT_GRANT_DEPTH];
    cr_assert_eq(grant_check(last, GRANT_USE_SIGN, &alice, 1000), REFUSAL_NONE);
    grant_charge(last, 1000);
    grant_charge(&line[1], 1000);
    cr_assert_eq(line[0].signatures, 2);
    cr_assert_eq(line[1].signatures, 2);
    for (unsigned i = 2; i <= LIMIT_GRANT_DEPTH; i++) cr_assert_eq(line[i].signatures, 1);
}

/* For each limit: what one above has not left any more, none below has. */
Test(derive, each_limit_above_is_one_below)
{
    static struct grant grandchild;
    cr_assert_eq(grant_derive(&child, &parent, &part, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_derive(&grandchild, &child, &part, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &bob, 1000), REFUSAL_WRONG_PROCESS);
    for (int i = 0; i < 5; i++) grant_charge(&parent, 1000);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 1000), REFUSAL_RATE);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 1199), REFUSAL_RATE);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 1200), REFUSAL_NONE);
    parent.signatures = 9;
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 5000), REFUSAL_NONE);
    parent.signatures = 10;
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 5000), REFUSAL_EXHAUSTED);
    parent.signatures = 0;
    grandchild.expires_ms = child.expires_ms = 0;
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 60999), REFUSAL_NONE);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_SIGN, &alice, 61000), REFUSAL_EXPIRED);
    cr_assert_eq(grant_check(&grandchild, GRANT_USE_DESCRIBE, &alice, 61000), REFUSAL_EXPIRED);
}

/* A browser's handle that is not pinned yet: the part may be pinned first, but then signs for nobody, as the whole does. */
Test(derive, a_browsers_part_is_for_the_wholes_process)
{
    struct grant browser = make(PURPOSE_BROWSER_DIGEST, 0, 0);
    struct keyd_grant terms = part;
    terms.purpose = PURPOSE_BROWSER_DIGEST;
    cr_assert_eq(grant_derive(&child, &browser, &terms, 1000), REFUSAL_NONE);
    cr_assert_eq(grant_check(&child, GRANT_USE_PIN, &alice, 1000), REFUSAL_NONE);
    grant_pin(&child, &alice);
    cr_assert_eq(grant_check(&child, GRANT_USE_SIGN, &alice, 1000), REFUSAL_NOT_PINNED);
    grant_pin(&browser, &bob);
    cr_assert_eq(grant_check(&child, GRANT_USE_SIGN, &alice, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&child, GRANT_USE_SIGN, &bob, 1000), REFUSAL_WRONG_PROCESS);

    static struct grant second;
    browser.pinned_pid = 0;
    cr_assert_eq(grant_derive(&second, &browser, &terms, 1000), REFUSAL_NONE);
    grant_pin(&browser, &bob);
    cr_assert_eq(grant_check(&second, GRANT_USE_PIN, &alice, 1000), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(grant_check(&second, GRANT_USE_PIN, &bob, 1000), REFUSAL_NONE);
    grant_pin(&second, &bob);
    cr_assert_eq(grant_check(&second, GRANT_USE_SIGN, &bob, 1000), REFUSAL_NONE);
}

Test(derive, children_come_and_go_in_any_order)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static struct grant children[3];
    for (size_t i = 0; i < 6; i++) {
        for (int j = 0; j < 3; j++) cr_assert_eq(grant_derive(&children[j], &parent, &part, 1000), REFUSAL_NONE);
        for (int j = 0; j < 3; j++) {
            unsigned left = 0;
            for (const struct grant *at = parent.first_child; at != NULL; at = at->next_sibling) left++;
            cr_assert_eq(left, (unsigned)(3 - j));
            grant_leave(&children[orders[i][j]]);
        }
        cr_assert_null(parent.first_child);
    }
}

Test(derive, the_ca_is_the_parents)
{
    static const uint8_t der[] = {1, 2, 3};
    uint8_t copied[sizeof(der)];
    memcpy(copied, der, sizeof(der));
    cr_assert(grant_pin_ca(&parent, (struct bytes){copied, sizeof(copied)}));
    memset(copied, 0, sizeof(copied));
    cr_assert_eq(grant_derive(&child, &parent, &part, 2000), REFUSAL_NONE);
    cr_assert(bytes_equal(child.ca, (struct bytes){der, sizeof(der)}));
    grant_leave(&child);
    cr_assert_eq(child.ca.len, 0);
    cr_assert(bytes_equal(parent.ca, (struct bytes){der, sizeof(der)}), "it is still the parent's");

    struct keyd_grant terms = part;
    terms.ca = (struct bytes){der, sizeof(der)};
    cr_assert_eq(grant_derive(&child, &parent, &terms, 2000), REFUSAL_PARAMETERS, "not even the same");
    grant_leave(&parent);
    cr_assert_eq(parent.ca.len, 0);
}
