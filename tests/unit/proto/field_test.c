#include "proto/field.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"

Test(field, text_counts_bytes)
{
    cr_expect(field_text("abc", 3, 3));
    cr_expect_not(field_text("abc", 4, 9));
    cr_expect_not(field_text("abc", 0, 2));
    cr_expect(field_text("", 0, 0));
    cr_expect_not(field_text("", 1, 1));
    cr_expect(field_text("\xc3\xbc", 2, 2));
    cr_expect_not(field_text("\xc3\xbc", 0, 1));
}

Test(field, null_is_the_empty_text)
{
    cr_expect(field_text(NULL, 0, 5));
    cr_expect_not(field_text(NULL, 1, 5));
}

Test(field, text_is_read_no_further_than_its_bound)
{
    char unterminated[4] = {'a', 'b', 'c', 'd'};
    cr_expect_not(field_text(unterminated, 0, 3));
}

Test(field, text_is_utf_8)
{
    /* RFC 3629, 4: the edges of each row of UTF8-octets. */
    static const char *const good[] = {" ",
                                       "~",
                                       "\xc2\xa0",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xe1\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xf1\x80\x80\x80"};
    static const char *const bad[] = {"\x1f",
                                      "\x7f",
                                      "\x01",
                                      "\n",
                                      "\xc2\x80",
                                      "\xc2\x9f",
                                      "\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe1\x80",
                                      "\xe1\x80(",
                                      "\xe1\xc0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xf1\x80\x80",
                                      "\xf1\x80\x80(",
                                      "\xff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(field_text(good[i], 1, 4), "good row %zu", i);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(field_text(bad[i], 0, 8), "bad row %zu", i);
    }
}

Test(field, one_bad_text_spoils_all)
{
    const char *const texts[] = {"a", "b\n", "c"};
    cr_expect(field_texts(texts, 1, 1, 9));
    cr_expect_not(field_texts(texts, 3, 1, 9));
}

Test(field, repair_keeps_what_is_good)
{
    char out[16];
    field_text_repair(out, sizeof out, "a\x01\xc3\xbc\xff\x7fz");
    cr_expect_str_eq(out, "a?\xc3\xbc?"
                          "?z");
    field_text_repair(out, sizeof out, NULL);
    cr_expect_str_eq(out, "");
}

Test(field, repair_cuts_between_characters)
{
    char out[4];
    field_text_repair(out, sizeof out, "ab\xc3\xbc");
    cr_expect_str_eq(out, "ab");
    field_text_repair(out, sizeof out, "abcdef");
    cr_expect_str_eq(out, "abc");
}

Test(field, certificate_has_a_length)
{
    cr_expect_not(field_certificate((struct bytes){NULL, 0}));
    cr_expect(field_certificate((struct bytes){NULL, 1}));
    cr_expect(field_certificate((struct bytes){NULL, LIMIT_CERTIFICATE}));
    cr_expect_not(field_certificate((struct bytes){NULL, LIMIT_CERTIFICATE + 1}));
}

Test(field, pid_is_one_process)
{
    cr_expect_not(field_pid(0));
    cr_expect(field_pid(1));
    cr_expect(field_pid(INT32_MAX));
    cr_expect_not(field_pid((uint32_t)-1));
}

Test(field, a_serial_number_has_one_form)
{
    static const uint8_t serial[LIMIT_SERIAL + 1] = {1}, zeros[2] = {0, 1};
    cr_expect(field_serial((struct bytes){serial, 1}));
    cr_expect(field_serial((struct bytes){serial, LIMIT_SERIAL}));
    cr_expect_not(field_serial((struct bytes){serial, LIMIT_SERIAL + 1}));
    cr_expect_not(field_serial((struct bytes){serial, 0}));
    cr_expect(field_serial((struct bytes){zeros, 1}), "the number zero");
    cr_expect_not(field_serial((struct bytes){zeros, 2}));
}
