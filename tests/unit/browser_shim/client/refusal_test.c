/* What is said of each refusal: why, and what to do. */
#include "browser-shim/client_refusal.h"

#include <criterion/criterion.h>
#include <string.h>

Test(refusal, each_has_a_cause_and_a_remedy)
{
    for (enum refusal refusal = REFUSAL_NONE + 1; refusal < REFUSAL_NUM; refusal++) {
        const char *cause = refusal_text(refusal), *remedy = client_refusal_remedy(refusal);
        cr_assert_not_null(cause, "%d has no text", (int)refusal);
        cr_assert_gt(strlen(cause), 10, "%d: %s", (int)refusal, cause);
        cr_assert_gt(strlen(remedy), 10, "%d: %s", (int)refusal, remedy);
        cr_assert_str_neq(cause, "unknown reason", "%d", (int)refusal);
    }
}

Test(refusal, no_two_have_the_same_cause)
{
    for (enum refusal a = REFUSAL_NONE; a < REFUSAL_NUM; a++) {
        for (enum refusal b = a + 1; b < REFUSAL_NUM; b++) cr_assert_str_neq(refusal_text(a), refusal_text(b));
    }
}

Test(refusal, a_newer_keyds_has_a_remedy_too)
{
    cr_assert_str_eq(refusal_text((enum refusal)1000), "unknown reason");
    cr_assert_not_null(strstr(client_refusal_remedy((enum refusal)1000), "restart the broker"));
}
