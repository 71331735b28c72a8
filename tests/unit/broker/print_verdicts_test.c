/* Verdicts in words and in JSON. */
#include "broker/print_verdicts.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

static struct verdict verdicts[] = {
    {.address = "192.0.2.1:40000",
     .kind = HANDSHAKE_CERTIFICATE,
     .count = 3,
     .first_ms = 1000,
     .last_ms = 1700000000999,
     .reason = "certificate expired \xe2\x80\xae(subject CN=x)",
     .remedy = "give the client a new certificate",
     .subject = "CN=\xc2\x9b"
                "2J\\,x",
     .issuer = "CN=ca",
     .serial = "0a",
     .fingerprint = "beef",
     .not_before = 1,
     .not_after = 2},
    {.address = "[::1]:1",
     .kind = HANDSHAKE_NO_CERTIFICATE,
     .count = 1,
     .reason = "none",
     .remedy = "send one",
     .subject = "",
     .issuer = "",
     .serial = "",
     .fingerprint = ""},
};
static const struct explanation explanation = {verdicts, 2, 1};

static char *verdicts_text(const struct explanation *value, const char *host)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    print_verdicts(out, value, host);
    fclose(out);
    return text;
}

/* Characters that steer a terminal, or turn a line round (U+202E), are shown as what they are. */
Test(print_verdicts, verdicts)
{
    char *text = verdicts_text(&explanation, "");
    cr_expect_str_eq(text, "2023-11-14 22:13:20 UTC  192.0.2.1:40000  3 times since 1970-01-01 00:00:01 UTC\n"
                           "  certificate    certificate expired \\xe2\\x80\\xae(subject CN=x)\n"
                           "  shown          CN=\\xc2\\x9b2J\\,x\n"
                           "  issuer         CN=ca\n"
                           "  serial         0a\n"
                           "  SHA-256        beef\n"
                           "  valid          1970-01-01 00:00:01 UTC to 1970-01-01 00:00:02 UTC\n"
                           "  what to do     give the client a new certificate\n"
                           "\n"
                           "1970-01-01 00:00:00 UTC  [::1]:1\n"
                           "  no-certificate none\n"
                           "  shown          no certificate\n"
                           "  what to do     send one\n"
                           "\n1 web worker did not answer: what they know is missing\n");
    free(text);
}

Test(print_verdicts, no_verdicts)
{
    const struct explanation none = {0};
    char *text = verdicts_text(&none, "192.0.2.1");
    cr_expect_str_eq(text, "no handshake of 192.0.2.1 is known to have failed\n");
    free(text);
}

Test(print_verdicts, verdicts_as_json)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    cr_assert_eq(print_verdicts_json(out, &explanation), ERR_OK);
    fclose(out);
    for (const char *at = text; *at; at++) cr_assert(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
    json_t *array = json_loads(text, 0, NULL), *row = json_array_get(array, 0);
    cr_assert_eq(json_array_size(array), 2);
    cr_expect_str_eq(json_string_value(json_object_get(row, "kind")), "certificate");
    cr_expect_eq(json_integer_value(json_object_get(row, "count")), 3);
    cr_expect_eq(json_integer_value(json_object_get(row, "last")), 1700000000999);
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(row, "certificate"), "subject")), "CN=\xc2\x9b"
                                                                                                         "2J\\,x");
    cr_expect(json_is_null(json_object_get(json_array_get(array, 1), "certificate")));
    json_decref(array);
    free(text);
}
