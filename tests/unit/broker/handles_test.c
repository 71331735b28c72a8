/* The table of handles. */
#include "broker/handles.h"

#include <criterion/criterion.h>
#include <string.h>

static struct handles handles;

Test(handles, never_uses_a_number_again)
{
    uint64_t first = handles_add(&handles, PURPOSE_TLS_CLIENT, "a", 0, 0, 0)->id;
    uint64_t second = handles_add(&handles, PURPOSE_TLS_CLIENT, "b", 0, 0, 0)->id;
    cr_assert_eq(first, 1);
    cr_assert_eq(second, 2);
    handles_remove(&handles, second);
    cr_assert_eq(handles_add(&handles, PURPOSE_TLS_CLIENT, "c", 0, 0, 0)->id, 3);
    handles_clear(&handles);
    cr_assert_eq(handles.num, 0);
    cr_assert_eq(handles_add(&handles, PURPOSE_TLS_CLIENT, "d", 0, 0, 0)->id, 4);
}

Test(handles, finds_and_removes_the_right_one)
{
    for (int i = 0; i < 5; i++) handles_add(&handles, PURPOSE_TLS_CLIENT, (char[]){(char)('a' + i), '\0'}, 0, 0, 0);
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

Test(handles, expire_in_time)
{
    cr_assert_eq(handles_next_expiry(&handles), 0);
    handles_add(&handles, PURPOSE_BROWSER_DIGEST, "for ever", 0, 0, 1000);
    cr_assert_eq(handles_next_expiry(&handles), 0);
    handles_add(&handles, PURPOSE_TLS_CLIENT, "long", 60, 0, 1000);
    handles_add(&handles, PURPOSE_TLS_CLIENT, "short", 2, 0, 1000);
    cr_assert_eq(handles_next_expiry(&handles), 3000);
    cr_assert_null(handles_expired(&handles, 2999));
    cr_assert_str_eq(handles_expired(&handles, 3000)->label, "short");
    handles_remove(&handles, handles_expired(&handles, 3000)->id);
    cr_assert_eq(handles_next_expiry(&handles), 61000);
}

Test(handles, are_capped)
{
    for (unsigned i = 0; i < HANDLES_MINTED_MAX; i++) {
        cr_assert_not_null(handles_add(&handles, PURPOSE_TLS_CLIENT, "x", 0, 0, 0));
    }
    cr_assert_null(handles_add(&handles, PURPOSE_TLS_CLIENT, "x", 0, 0, 0));
    while (handles.num < LIMIT_GRANTS) cr_assert_not_null(handles_add(&handles, PURPOSE_TLS_SERVER, "w", 0, 0, 0));
    cr_assert_null(handles_add(&handles, PURPOSE_TLS_SERVER, "w", 0, 0, 0), "clients leave room for the workers");
    cr_assert_eq(handles_count(&handles, PURPOSE_TLS_CLIENT), HANDLES_MINTED_MAX);
    handles_remove(&handles, handles.rows[LIMIT_GRANTS - 1].id);
    cr_assert_eq(handles.num, LIMIT_GRANTS - 1);
}

Test(handles, of_web_workers_are_not_lent)
{
    cr_assert_not(handle_is_lent(handles_add(&handles, PURPOSE_TLS_SERVER, "web[0]", 0, 0, 0)));
    cr_assert(handle_is_lent(handles_add(&handles, PURPOSE_TLS_CLIENT, "c", 0, 0, 0)));
    cr_assert(handle_is_lent(handles_add(&handles, PURPOSE_BROWSER_DIGEST, "b", 0, 0, 0)));
}

Test(handles, cut_a_long_label)
{
    char label[200];
    memset(label, 'x', sizeof label);
    label[199] = '\0';
    cr_assert_eq(strlen(handles_add(&handles, PURPOSE_TLS_CLIENT, label, 0, 0, 0)->label), LIMIT_LABEL);
}
