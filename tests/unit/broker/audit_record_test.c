#include "broker/audit_record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/audit_json.h"
#include "broker/audit_time.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

Test(audit_record, has_the_form_that_is_written_down)
{
    char line[LIMIT_AUDIT_LINE + 1];
    struct audit_record record = {.number = 17,
                                  .time_ms = UINT64_C(1767323045678),
                                  .what = AUDIT_SIGNED,
                                  .handle = 3,
                                  .pid = 99,
                                  .uid_and_1 = 1001,
                                  .count = 1};
    audit_record_text(record.label, sizeof record.label, "browser");
    audit_record_text(record.purpose, sizeof record.purpose, "browser-digest");
    audit_record_text(record.key, sizeof record.key, "client");
    audit_record_text(record.server, sizeof record.server, "localhost");
    size_t len = audit_record_format(line, &record);
    cr_assert_eq(len, strlen(line));
    cr_assert_str_eq(line,
                     "{\"n\":17,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"signed\",\"handle\":3,"
                     "\"label\":\"browser\",\"purpose\":\"browser-digest\",\"key\":\"client\",\"pid\":99,\"uid\":1000,"
                     "\"server\":\"localhost\",\"count\":1,\"prev\":\"" ZEROS "\"}");
    struct audit_record again;
    cr_assert(audit_record_parse(&again, line, len));
    cr_assert_eq(memcmp(&again, &record, sizeof record), 0);
}

static void fill(char *out, size_t out_len, const char *character)
{
    size_t step = strlen(character), len = 0;
    while (len + step < out_len) {
        memcpy(out + len, character, step);
        len += step;
    }
    out[len] = '\0';
}

static void fill_bytes(struct audit_bytes *out)
{
    out->len = LIMIT_AUDIT_KEY;
    memset(out->data, 0xff, sizeof out->data);
}

/* Every member there is, as long as it can be, in what takes the most room. */
Test(audit_record, fits_into_a_line_at_its_fullest)
{
    static const char *const characters[] = {"x", "\"", "\\", "\u00e9", "\u4e2d", "\U0001f512"};
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        char line[LIMIT_AUDIT_LINE + 1];
        struct audit_record again, record = {.number = UINT64_MAX,
                                             .time_ms = AUDIT_TIME_MAX,
                                             .what = AUDIT_CERTIFICATE,
                                             .handle = UINT64_MAX,
                                             .parent = UINT64_MAX,
                                             .pid = UINT64_MAX,
                                             .uid_and_1 = UINT64_MAX,
                                             .count = UINT64_MAX,
                                             .refusals = UINT64_MAX,
                                             .lost = UINT64_MAX,
                                             .head = UINT64_MAX};
        fill(record.label, sizeof record.label, characters[i]);
        fill(record.purpose, sizeof record.purpose, characters[i]);
        fill(record.key, sizeof record.key, characters[i]);
        fill(record.server, sizeof record.server, characters[i]);
        fill(record.reason, sizeof record.reason, characters[i]);
        fill(record.process, sizeof record.process, characters[i]);
        fill(record.policy, sizeof record.policy, characters[i]);
        fill(record.text, sizeof record.text, characters[i]);
        fill_bytes(&record.hash);
        fill_bytes(&record.fingerprint);
        fill_bytes(&record.public_key);
        fill_bytes(&record.signature);
        size_t len = audit_record_format(line, &record);
        cr_assert_leq(len, LIMIT_AUDIT_LINE);
        for (size_t at = 0; at < len; at++) cr_assert(line[at] >= 0x20 && line[at] < 0x7f);
        cr_assert(audit_record_parse(&again, line, len), "%s", line);
        cr_assert_eq(memcmp(&again, &record, sizeof record), 0);
    }
}

Test(audit_record, every_kind_has_a_name_of_its_own)
{
    for (unsigned i = 0; i < AUDIT_NUM; i++) {
        for (unsigned j = 0; j < i; j++) cr_expect_str_neq(audit_what_name(i), audit_what_name(j));
    }
    cr_expect_str_eq(audit_what_name(AUDIT_NUM), "unknown");
}

Test(audit_record, words_are_cut_and_repaired)
{
    char out[8];
    audit_record_text(out, sizeof out, "a\x1b[2J\n\xffz");
    cr_expect_str_eq(out, "a?[2J??");
}

#define LINE(members) \
    "{\"n\":1,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"start\"" members ",\"prev\":\"" ZEROS "\"}"

Test(audit_record, takes_no_other_form)
{
    static const char *const bad[] = {
        "",
        "{}",
        "null",
        LINE("") " ",
        " " LINE(""),
        LINE(",\"count\":0"),                    /* what is zero is left out */
        LINE(",\"count\":01"),                   /* */
        LINE(",\"count\":-1"),                   /* */
        LINE(",\"count\":1.0"),                  /* */
        LINE(",\"count\":18446744073709551616"), /* one too many for 64 bits */
        LINE(",\"uid\":18446744073709551615"),   /* the same, as one is added */
        LINE(",\"count\":\"1\""),                /* */
        LINE(",\"count\": 1"),                   /* */
        LINE(",\"count\":1,\"count\":1"),        /* */
        LINE(",\"count\":1,\"handle\":1"),       /* another order */
        LINE(",\"colour\":1"),                   /* no such member */
        LINE(",\"label\":\"\""),                 /* */
        LINE(",\"label\":\"\\u0041\""),          /* needlessly escaped */
        LINE(",\"label\":\"\\u00E9\""),          /* upper case */
        LINE(",\"label\":\"\\u0007\""),          /* a control character */
        LINE(",\"label\":\"\\u0085\""),          /* */
        LINE(",\"label\":\"\\u0000\""),          /* */
        LINE(",\"label\":\"\\ud800\""),          /* half a pair */
        LINE(",\"label\":\"\\ud800\\u0041\""),   /* */
        LINE(",\"label\":\"\\udc00\""),          /* */
        LINE(",\"label\":\"\\n\""),              /* */
        LINE(",\"label\":\"\\/\""),              /* */
        LINE(",\"label\":\"\xc3\xa9\""),         /* not ASCII */
        LINE(",\"label\":\"\x1b\""),             /* */
        LINE(",\"label\":\"open"),               /* */
        LINE(",\"hash\":\"\""),                  /* */
        LINE(",\"hash\":\"0\""),                 /* */
        LINE(",\"hash\":\"AB\""),                /* */
        LINE(",\"hash\":\"0g\""),                /* */
        "{\"n\":1,\"time\":\"2026-02-30T03:04:05.678Z\",\"what\":\"start\",\"prev\":\"" ZEROS "\"}",
        "{\"n\":1,\"time\":\"2026-01-02T24:04:05.678Z\",\"what\":\"start\",\"prev\":\"" ZEROS "\"}",
        "{\"n\":1,\"time\":\"2026-01-02T03:04:60.678Z\",\"what\":\"start\",\"prev\":\"" ZEROS "\"}",
        "{\"n\":1,\"time\":\"2026-01-02 03:04:05.678Z\",\"what\":\"start\",\"prev\":\"" ZEROS "\"}",
        "{\"n\":1,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"none\",\"prev\":\"" ZEROS "\"}",
        "{\"n\":1,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"began\",\"prev\":\"" ZEROS "\"}",
        "{\"n\":1,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"start\",\"prev\":\"00\"}",
        "{\"n\":1,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"start\"}",
    };
    struct audit_record record;
    cr_assert(audit_record_parse(&record, LINE(""), strlen(LINE(""))));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(audit_record_parse(&record, bad[i], strlen(bad[i])), "%s", bad[i]);
}

Test(audit_record, words_fit_or_the_line_is_refused)
{
    char line[LIMIT_AUDIT_LINE + 1], label[LIMIT_LABEL + 2];
    struct audit_record record;
    for (size_t len = LIMIT_LABEL; len <= LIMIT_LABEL + 1; len++) {
        memset(label, 'x', len);
        label[len] = '\0';
        snprintf(line, sizeof line, LINE(",\"label\":\"%s\""), label);
        cr_expect_eq(audit_record_parse(&record, line, strlen(line)), len == LIMIT_LABEL);
    }
}

/* Also where it ends: nothing beyond the length that was given is looked at. */
Test(audit_record, reads_no_further_than_it_is_told)
{
    static const char line[] = LINE(",\"label\":\"\\ud83d\\udd12\",\"hash\":\"00ff\"");
    struct audit_record record;
    for (size_t len = 0; len < strlen(line); len++) {
        char *copy = malloc(len + 1);
        memcpy(copy, line, len);
        cr_expect_not(audit_record_parse(&record, copy, len));
        free(copy);
    }
    cr_expect(audit_record_parse(&record, line, strlen(line)));
    cr_expect_str_eq(record.label, "\U0001f512");
}

Test(audit_time, goes_both_ways)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {4107542399000, "2100-02-28T23:59:59.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {1767323045678, "2026-01-02T03:04:05.678Z"},
        {AUDIT_TIME_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[AUDIT_TIME + 1];
        uint64_t ms;
        audit_time_format(text, rows[i].ms);
        cr_expect_str_eq(text, rows[i].text);
        cr_expect(audit_time_parse(&ms, rows[i].text));
        cr_expect_eq(ms, rows[i].ms);
    }
    char text[AUDIT_TIME + 1];
    audit_time_format(text, UINT64_MAX);
    cr_expect_str_eq(text, "9999-12-31T23:59:59.999Z");
}

Test(audit_time, agrees_with_libc_on_every_day)
{
    for (uint64_t day = 0; day < 200 * 366; day++) {
        char ours[AUDIT_TIME + 1], theirs[64];
        struct tm date;
        time_t seconds = (time_t)(day * 86400 + 3661);
        audit_time_format(ours, (uint64_t)seconds * 1000);
        gmtime_r(&seconds, &date);
        strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000Z", &date);
        cr_assert_str_eq(ours, theirs);
    }
}
