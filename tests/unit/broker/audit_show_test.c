#include "broker/audit_show.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *shown(const struct audit_record *record, enum audit_colour colour)
{
    static char text[8192];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    setenv("TZ", "UTC-2", 1); /* two hours east */
    tzset();
    audit_show(out, record, colour);
    fclose(out);
    return text;
}

static struct audit_record sample(enum audit_what what)
{
    struct audit_record record = {.number = 17,
                                  .time_ms = UINT64_C(1767323045678),
                                  .what = what,
                                  .handle = 3,
                                  .pid = 99,
                                  .uid_and_1 = 1001,
                                  .count = 2};
    audit_record_text(record.label, sizeof record.label, "browser");
    audit_record_text(record.reason, sizeof record.reason, "the handle has expired");
    return record;
}

Test(audit_show, tells_who_did_what_when)
{
    struct audit_record record = sample(AUDIT_SIGNED);
    const char *text = shown(&record, AUDIT_COLOURED);
    cr_expect_str_eq(text,
                     "      17  2026-01-02 05:04:05.678    signed               handle 3 'browser' pid 99 uid 1000 "
                     "because 'the handle has expired' times 2\n");
}

Test(audit_show, makes_refusals_stand_out)
{
    static const enum audit_what loud[] = {AUDIT_REFUSED, AUDIT_CUT, AUDIT_BLOCKED, AUDIT_GAP, AUDIT_TORN};
    for (size_t i = 0; i < sizeof loud / sizeof *loud; i++) {
        struct audit_record record = sample(loud[i]);
        char mark[64];
        snprintf(mark, sizeof mark, "! %s", audit_what_name(loud[i]));
        const char *text = shown(&record, AUDIT_PLAIN);
        cr_expect_not_null(strstr(text, mark), "%s", text);
        cr_expect_null(strchr(text, '\033'));
        cr_expect_not_null(strstr(shown(&record, AUDIT_COLOURED), "\033[1;31m! "));
    }
}

/* Whatever stands in the record: nothing moves the cursor, turns the line round or hides a part of it. */
Test(audit_show, shows_nothing_that_plays_with_the_terminal)
{
    struct audit_record record = sample(AUDIT_SIGNED);
    strcpy(record.label, "a\x1b[2J\r\x07\x7f"
                         "\xc2\x85\u202e\u200b\u2066\ufeff"
                         "\xff"
                         "\U000e0041");
    const char *text = shown(&record, AUDIT_PLAIN);
    cr_expect_not_null(strstr(text,
                              "'a\\u{1b}[2J\\u{d}\\u{7}\\u{7f}\\u{85}\\u{202e}\\u{200b}\\u{2066}\\u{feff}\\u{fffd}"
                              "\\u{e0041}'"),
                       "%s", text);
    for (const char *at = text; at[1]; at++) cr_expect((unsigned char)*at >= 0x20 && *at != 0x7f);
    strcpy(record.label, "Kassé 日本");
    cr_expect_not_null(strstr(shown(&record, AUDIT_PLAIN), "'Kassé 日本'"));
}

Test(audit_show, gives_the_line_itself_as_json)
{
    char want[LIMIT_AUDIT_LINE + 1], got[LIMIT_AUDIT_LINE + 2] = "";
    struct audit_record record = sample(AUDIT_REFUSED);
    size_t len = audit_record_format(want, &record);
    FILE *out = fmemopen(got, sizeof got, "w");
    audit_show_json(out, &record);
    fclose(out);
    cr_expect_eq(memcmp(got, want, len), 0);
    cr_expect_eq(got[len], '\n');
}
