#include "browser-shim/client_field.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct client_fields fields;
static struct diag diag;

static void start_afresh(void)
{
    fields = (struct client_fields){.num = 0};
}

TestSuite(client_field, .init = start_afresh);

Test(client_field, takes_fields)
{
    static const char *const good[] = {"Accept: text/html",    "X-Empty:", "x:y:z",
                                       "Cookie: a=b; c=\"d\"", "A:\ttab",  "B: \xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_eq(client_fields_add(&fields, good[i], &diag), ERR_OK, "'%s': %s", good[i], diag.text);
    }
    cr_expect(client_fields_have(&fields, "accept") && client_fields_have(&fields, "X"));
    cr_expect_not(client_fields_have(&fields, "Acc"));
}

/* A line break would begin a field, or a request, of its own. */
Test(client_field, refuses_what_is_none)
{
    static const char *const bad[] = {"",      "Accept",   ": value",  "Two words: x", "A : b", "A: b\r\nC: d",
                                      "A: \n", "A: \x01b", "A: b\x7f", "\xc3\xa4: b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(client_fields_add(&fields, bad[i], &diag), ERR_INPUT, "'%s'", bad[i]);
    }
    cr_expect_eq(fields.num, 0);
}

Test(client_field, refuses_what_the_client_writes)
{
    static const char *const ours[] = {"Host: a", "content-length: 1", "Transfer-Encoding: chunked",
                                       "CONNECTION: close", "Expect: x"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        cr_expect_eq(client_fields_add(&fields, ours[i], &diag), ERR_INPUT, "'%s'", ours[i]);
        cr_expect(strstr(diag.text, "leave it out") != NULL, "%s", diag.text);
    }
    cr_expect_eq(client_fields_add(&fields, "Hosts: fine", &diag), ERR_OK);
}

Test(client_field, stops_at_its_limits)
{
    static char line[LIMIT_CLIENT_FIELDS_LEN + 1] = "A:";
    for (size_t i = 0; i < LIMIT_CLIENT_FIELDS; i++) cr_expect_eq(client_fields_add(&fields, "A: b", &diag), ERR_OK);
    cr_expect_eq(client_fields_add(&fields, "A: b", &diag), ERR_INPUT);
    start_afresh();
    memset(line + 2, 'x', sizeof line - 3);
    cr_expect_eq(client_fields_add(&fields, line, &diag), ERR_OK, "as long as all may be");
    cr_expect_eq(client_fields_add(&fields, "A:", &diag), ERR_INPUT);
}
