/* Grants that are derived from others: never stronger, and never worth more than what they come from. */
#include <criterion/criterion.h>
#include <string.h>

#include "keyd/grant.h"

static const struct ucred alice = {.pid = 100, .uid = 1000}, bob = {.pid = 101, .uid = 1000};

static struct grant make(enum purpose purpose)
{
    struct grant grant;
    const struct keyd_grant terms = {.grant = 7, .purpose = purpose, .label = "kiosk"};
    grant_init(&grant, &terms, 1000);
    return grant;
}

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
    struct grant server = make(PURPOSE_TLS_SERVER);
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
    struct grant browser = make(PURPOSE_BROWSER_DIGEST);
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
