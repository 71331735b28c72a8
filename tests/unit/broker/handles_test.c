/* The table of handles. */
#include "broker/handles.h"

#include <criterion/criterion.h>
#include <string.h>

static struct handles handles;

static struct handle *add(enum purpose purpose, const char *label, uint32_t lifetime_s, uint64_t now)
{
    const struct keyd_grant terms = {.purpose = purpose, .label = label, .lifetime_s = lifetime_s};
    return handles_add(&handles, &terms, now);
}

static struct handle *add_part(uint64_t parent, uint32_t lifetime_s)
{
    const struct keyd_grant terms = {
        .purpose = PURPOSE_TLS_CLIENT, .label = "part", .lifetime_s = lifetime_s, .parent = parent};
    return handles_add(&handles, &terms, 1000);
}

Test(handles, never_uses_a_number_again)
{
    uint64_t first = add(PURPOSE_TLS_CLIENT, "a", 0, 0)->id;
    uint64_t second = add(PURPOSE_TLS_CLIENT, "b", 0, 0)->id;
    cr_assert_eq(first, 1);
    cr_assert_eq(second, 2);
    handles_remove(&handles, second);
    cr_assert_eq(add(PURPOSE_TLS_CLIENT, "c", 0, 0)->id, 3);
    handles_clear(&handles);
    cr_assert_eq(handles.num, 0);
    cr_assert_null(handles.first);
    cr_assert_null(handles.last);
    cr_assert_eq(handles.by_id.num, 0);
    cr_assert_eq(add(PURPOSE_TLS_CLIENT, "d", 0, 0)->id, 4);
}

Test(handles, finds_and_removes_the_right_one)
{
    for (int i = 0; i < 5; i++) add(PURPOSE_TLS_CLIENT, (char[]){(char)('a' + i), '\0'}, 0, 0);
    handles_remove(&handles, 3);
    handles_remove(&handles, 99);
    cr_assert_eq(handles.num, 4);
    cr_assert_null(handles_find(&handles, 3));
    static const struct {
        uint64_t id;
        const char *label;
    } left[] = {{1, "a"}, {2, "b"}, {4, "d"}, {5, "e"}};
    for (size_t i = 0; i < 4; i++) cr_assert_str_eq(handles_find(&handles, left[i].id)->label, left[i].label);
}

Test(handles, are_walked_in_the_order_of_their_numbers)
{
    cr_assert_null(handles_above(&handles, 0));
    for (int i = 0; i < 6; i++) add(PURPOSE_TLS_CLIENT, "x", 0, 0);
    handles_remove(&handles, 1);
    handles_remove(&handles, 4);
    add(PURPOSE_TLS_CLIENT, "y", 0, 0); /* in a slot that was free: the last all the same */
    static const uint64_t next[] = {2, 2, 3, 5, 5, 6, 7};
    for (uint64_t id = 0; id < 7; id++) cr_assert_eq(handles_above(&handles, id)->id, next[id], "above %d", (int)id);
    cr_assert_null(handles_above(&handles, 7));
    cr_assert_null(handles_above(&handles, UINT64_MAX));
}

Test(handles, expire_in_time)
{
    cr_assert_eq(handles_next_expiry(&handles), 0);
    add(PURPOSE_BROWSER_DIGEST, "for ever", 0, 1000);
    cr_assert_eq(handles_next_expiry(&handles), 0);
    add(PURPOSE_TLS_CLIENT, "long", 60, 1000);
    add(PURPOSE_TLS_CLIENT, "short", 2, 1000);
    cr_assert_eq(handles_next_expiry(&handles), 3000);
    cr_assert_null(handles_expired(&handles, 2999));
    cr_assert_str_eq(handles_expired(&handles, 3000)->label, "short");
    handles_remove(&handles, handles_expired(&handles, 3000)->id);
    cr_assert_eq(handles_next_expiry(&handles), 61000);
}

/* A thousand that come, go and expire in no order: always the earliest of those that are there. */
Test(handles, expire_in_order_whatever_comes_and_goes)
{
    uint32_t random = 1;
    for (int i = 0; i < 1000; i++) {
        random = random * 1103515245u + 12345u;
        add(PURPOSE_TLS_CLIENT, "x", random >> 16 & 0x3ff, 0);
        if (i % 3 == 2) handles_remove(&handles, 1 + (random >> 8) % handles.last_id);
    }
    for (uint64_t before = 0; handles.num_due > 0;) {
        uint64_t earliest = UINT64_MAX;
        for (const struct handle *at = handles.first; at; at = at->next) {
            if (at->expires != 0 && at->expires < earliest) earliest = at->expires;
        }
        const struct handle *expired = handles_expired(&handles, UINT64_MAX);
        cr_assert_eq(expired->expires, earliest);
        cr_assert_eq(handles_next_expiry(&handles), earliest);
        cr_assert_geq(earliest, before);
        before = earliest;
        handles_remove(&handles, expired->id);
    }
    cr_assert_null(handles_expired(&handles, UINT64_MAX));
}

Test(handles, are_capped)
{
    for (unsigned i = 0; i < HANDLES_MINTED_MAX; i++) cr_assert_not_null(add(PURPOSE_TLS_CLIENT, "x", 0, 0));
    cr_assert_null(add(PURPOSE_TLS_CLIENT, "x", 0, 0));
    cr_assert_null(add_part(1, 0), "a part is one more");
    cr_assert_eq(handles_lent(&handles), HANDLES_MINTED_MAX);
    while (handles.num < LIMIT_GRANTS) cr_assert_not_null(add(PURPOSE_TLS_SERVER, "w", 0, 0));
    cr_assert_null(add(PURPOSE_TLS_SERVER, "w", 0, 0), "clients leave room for the workers");
    cr_assert_eq(handles_lent(&handles), HANDLES_MINTED_MAX);
    handles_remove(&handles, handles.last->id);
    cr_assert_eq(handles.num, LIMIT_GRANTS - 1);
    cr_assert_not_null(add(PURPOSE_TLS_SERVER, "w", 0, 0));
    handles_remove(&handles, 77);
    cr_assert_not_null(add(PURPOSE_TLS_CLIENT, "x", 0, 0));
}

Test(handles, of_web_workers_are_not_lent)
{
    cr_assert_not(handle_is_lent(add(PURPOSE_TLS_SERVER, "web[0]", 0, 0)));
    cr_assert(handle_is_lent(add(PURPOSE_TLS_CLIENT, "c", 0, 0)));
    cr_assert(handle_is_lent(add(PURPOSE_BROWSER_DIGEST, "b", 0, 0)));
    cr_assert_eq(handles_lent(&handles), 2);
}

Test(handles, cut_a_long_label)
{
    char label[200];
    memset(label, 'x', sizeof label);
    label[199] = '\0';
    cr_assert_eq(strlen(add(PURPOSE_TLS_CLIENT, label, 0, 0)->label), LIMIT_LABEL);
}

Test(handles, show_what_a_part_inherits)
{
    const struct keyd_grant whole = {.purpose = PURPOSE_TLS_CLIENT,
                                     .label = "whole",
                                     .lifetime_s = 60,
                                     .max_signatures = 10,
                                     .server = "localhost",
                                     .rate = 5,
                                     .pid = 100};
    struct handle *parent = handles_add(&handles, &whole, 500), *part = add_part(1, 0);
    parent->signatures = 4;
    cr_assert_eq(part->parent, parent);
    cr_assert_eq(part->expires, 60500);
    cr_assert_eq(part->max_signatures, 10);
    cr_assert_eq(part->rate, 5);
    cr_assert_eq(part->pinned_pid, 100);
    cr_assert_str_eq(part->server, "localhost");
    cr_assert_str_eq(part->label, "part");
    cr_assert_eq(part->signatures, 0);
    struct keyd_grant terms = whole;
    terms.lifetime_s = 10;
    terms.max_signatures = 3;
    terms.rate = 2;
    terms.parent = 2;
    part = handles_add(&handles, &terms, 1000);
    cr_assert_eq(part->expires, 11000);
    cr_assert_eq(part->max_signatures, 3);
    cr_assert_eq(part->rate, 2);
    cr_assert_eq(handle_depth(part), 2);
    cr_assert_eq(handle_depth(parent), 0);
    terms.parent = 99;
    cr_assert_null(handles_add(&handles, &terms, 1000), "nobody's part");
}

Test(handles, go_with_what_they_come_from)
{
    add(PURPOSE_TLS_CLIENT, "whole", 60, 0);    /* 1 */
    add(PURPOSE_TLS_CLIENT, "stranger", 60, 0); /* 2 */
    add_part(1, 1);                             /* 3 */
    add_part(1, 2);                             /* 4 */
    add_part(3, 1);                             /* 5 */
    add_part(1, 3);                             /* 6 */
    handles_remove(&handles, 4);
    cr_assert_eq(handles.num, 5);
    handles_remove(&handles, 3);
    cr_assert_null(handles_find(&handles, 5));
    cr_assert_not_null(handles_find(&handles, 6));
    handles_remove(&handles, 1);
    cr_assert_eq(handles.num, 1);
    cr_assert_eq(handles.first->id, 2);
    cr_assert_eq(handles.last->id, 2);
    cr_assert_eq(handles.num_due, 1);
    cr_assert_eq(handles_next_expiry(&handles), 60000);
}

/* The SHA-256 of what is pinned ("abc": FIPS 180-4's example), and of what its parent has. */
Test(handles, knows_which_ca_is_pinned)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const struct keyd_grant terms = {
        .purpose = PURPOSE_TLS_CLIENT, .label = "foreign", .ca = {(const uint8_t *)"abc", 3}};
    const struct handle *handle = handles_add(&handles, &terms, 1000);
    cr_assert_str_eq(handle->ca, abc);
    const struct handle *derived = add_part(handle->id, 0);
    cr_assert_str_eq(derived->ca, abc);
    cr_assert_str_eq(add(PURPOSE_TLS_CLIENT, "own", 0, 0)->ca, "");
}
