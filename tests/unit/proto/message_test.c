#include "proto/message.h"

#include <criterion/criterion.h>
#include <string.h>

Test(message, every_kind_has_its_name)
{
    cr_expect_str_eq(msg_kind_name(MSG_NONE), "NONE");
    cr_expect_str_eq(msg_kind_name(MSG_SIGN_TLS13_SERVER), "SIGN_TLS13_SERVER");
    cr_expect_str_eq(msg_kind_name(MSG_KILL), "KILL");
    cr_expect_str_eq(msg_kind_name(MSG_NUM_KINDS), "UNKNOWN");
    cr_expect_str_eq(msg_kind_name((enum msg_kind) - 1), "UNKNOWN");
    for (unsigned kind = 0; kind < MSG_NUM_KINDS; kind++) {
        cr_assert_not_null(msg_kind_name(kind), "%u", kind);
        for (unsigned before = 0; before < kind; before++) {
            cr_expect_str_neq(msg_kind_name(before), msg_kind_name(kind));
        }
    }
}

Test(message, every_refusal_has_its_text)
{
    for (unsigned refusal = 0; refusal < REFUSAL_NUM; refusal++) {
        cr_assert_not_null(refusal_text(refusal), "%u", refusal);
        cr_expect_gt(strlen(refusal_text(refusal)), 3);
    }
    cr_expect_str_eq(refusal_text(REFUSAL_EXPIRED), "the handle has expired");
    cr_expect_str_eq(refusal_text(REFUSAL_NUM), "unknown reason");
}

Test(message, purposes_are_named)
{
    cr_expect_str_eq(purpose_name(PURPOSE_TLS_SERVER), "tls-server");
    cr_expect_str_eq(purpose_name(PURPOSE_TLS_CLIENT), "tls-client");
    cr_expect_str_eq(purpose_name(PURPOSE_BROWSER_DIGEST), "browser-digest");
    cr_expect_str_eq(purpose_name(PURPOSE_GATEWAY), "gateway");
    cr_expect_str_eq(purpose_name(PURPOSE_NONE), "none");
    cr_expect_str_eq(purpose_name(PURPOSE_NUM), "unknown");
}
