/* What clients ask for: codings, media types, ranges; and which names say that they change with their content. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "web/http/hashed_name.h"
#include "web/http/negotiate.h"
#include "web/http/range.h"

static struct bytes text(const char *value)
{
    return (struct bytes){(const uint8_t *)value, strlen(value)};
}

Test(negotiate, orders_codings_by_weight)
{
    static const struct {
        const char *fields[2];
        const char *order; /* b, g, i */
    } rows[] = {
        {{NULL}, "i"},
        {{""}, "i"},
        {{"gzip"}, "gi"},
        {{"GZip"}, "gi"},
        {{"x-gzip"}, "gi"},
        {{"gzip, deflate, br"}, "bgi"},
        {{"gzip", "br"}, "bgi"},
        {{"br;q=0.5, gzip"}, "gbi"},
        {{"br;q=0.001,gzip;q=0.002"}, "gbi"},
        {{"br ; q=0.9 , gzip\t;\tQ=1.000"}, "gbi"},
        {{"br;q=0, gzip"}, "gi"},
        {{"br;q=0.000, *"}, "gi"},
        {{"*"}, "bgi"},
        {{"*;q=0"}, "i"},
        {{"gzip, *;q=0"}, "gi"},
        {{"identity"}, "i"},
        {{"identity, gzip;q=0.9"}, "i"},
        {{"identity;q=0.5, gzip;q=0.9, br;q=0.1"}, "gi"},
        {{"identity;q=0, br"}, "bi"},
        {{"identity;q=0"}, "i"},
        {{"gzip;q=1.001"}, "i"},
        {{"gzip;q=0.0001"}, "i"},
        {{"gzip;q=2"}, "i"},
        {{"gzip;q="}, "i"},
        {{"gzip;q=-1"}, "i"},
        {{"gzip;q=.5"}, "i"},
        {{";q=1, ,, gzip"}, "gi"},
        {{"gzip;level=9;q=0.5"}, "gi"},
        {{"gzip x"}, "i"},
        {{"brotli, zstd, deflate"}, "i"},
        {{"\"gzip, br\""}, "i"},
        {{"\"gzip"}, "i"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct codings codings = {0};
        enum coding order[CODING_NUM];
        char got[CODING_NUM + 1] = "";
        for (size_t j = 0; j < 2 && rows[i].fields[j] != NULL; j++)
            negotiate_codings(&codings, text(rows[i].fields[j]));
        size_t num = negotiate_order(order, &codings);
        cr_assert_leq(num, CODING_NUM);
        for (size_t j = 0; j < num; j++) got[j] = "bgi"[order[j]];
        cr_expect_str_eq(got, rows[i].order, "'%s': %s", rows[i].fields[0] ? rows[i].fields[0] : "(none)", got);
    }
}

Test(negotiate, knows_who_wants_a_page)
{
    static const struct {
        const char *accept;
        bool html;
    } rows[] = {
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true},
        {"application/json, TEXT/HTML ;q=0.1", true},
        {"text/html;level=\"1,2\";q=1", true},
        {"*/*", false},
        {"text/*", false},
        {"", false},
        {"text/html;q=0", false},
        {"text/html;q=x", false},
        {"text/htmlx", false},
        {"application/json;x=\", text/html\"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(negotiate_wants_html(text(rows[i].accept)), rows[i].html, "%s", rows[i].accept);
}

Test(range, reads_ranges)
{
    static const struct {
        const char *field;
        uint64_t size;
        const char *want; /* "START+LEN ..."; "whole"; "none" */
    } rows[] = {
        {"bytes=0-0", 10, "0+1"},
        {"bytes=0-9", 10, "0+10"},
        {"bytes=0-10", 10, "0+10"},
        {"bytes=3-", 10, "3+7"},
        {"bytes=9-", 10, "9+1"},
        {"bytes=-3", 10, "7+3"},
        {"bytes=-10", 10, "0+10"},
        {"bytes=-11", 10, "0+10"},
        {"Bytes=0-1", 10, "0+2"},
        {"bytes= 0-1 , 5-6 ", 10, "0+2 5+2"},
        {"bytes=,,5-6,,0-1,", 10, "5+2 0+2"},
        {"bytes=0-1,20-30,-2", 10, "0+2 8+2"},
        {"bytes=10-", 10, "none"},
        {"bytes=10-11", 10, "none"},
        {"bytes=-0", 10, "none"},
        {"bytes=-0,10-", 10, "none"},
        {"bytes=0-18446744073709551615", 10, "0+10"},
        {"bytes=0-99999999999999999999999", 10, "0+10"},
        {"bytes=1-18446744073709551616", UINT64_MAX, "1+18446744073709551614"},
        {"bytes=99999999999999999999999-", 10, "none"},
        {"bytes=-99999999999999999999999", 10, "0+10"},
        {"bytes=18446744073709551615-18446744073709551615", 10, "none"},
        {"bytes=0-", 0, "none"},
        {"bytes=0-0", 0, "none"},
        {"bytes=-1", 0, "none"},
        /* Not a range, or not one to be served. */
        {"bytes=", 10, "whole"},
        {"bytes=,", 10, "whole"},
        {"bytes=-", 10, "whole"},
        {"bytes=5-4", 10, "whole"},
        {"bytes=0-1,5-4", 10, "whole"},
        {"bytes=a-b", 10, "whole"},
        {"bytes=0-1x", 10, "whole"},
        {"bytes=0 -1", 10, "whole"},
        {"bytes=+1-2", 10, "whole"},
        {"bytes=--1", 10, "whole"},
        {"bytes=1-2-3", 10, "whole"},
        {"bytes=0x0-1", 10, "whole"},
        {"bytes", 10, "whole"},
        {"bytes =0-1", 10, "whole"},
        {"items=0-1", 10, "whole"},
        {"", 10, "whole"},
        /* Together longer than what there is. */
        {"bytes=0-,0-", 10, "whole"},
        {"bytes=0-5,4-9", 10, "whole"},
        {"bytes=0-4,5-9", 10, "0+5 5+5"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct range ranges[LIMIT_HTTP_RANGES];
        size_t num = 0;
        char got[256] = "";
        enum range_verdict verdict = range_parse(ranges, &num, rows[i].field, rows[i].size);
        if (verdict != RANGE_PARTS) snprintf(got, sizeof(got), "%s", verdict == RANGE_WHOLE ? "whole" : "none");
        for (size_t j = 0; verdict == RANGE_PARTS && j < num; j++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%llu+%llu", j > 0 ? " " : "",
                     (unsigned long long)ranges[j].start, (unsigned long long)ranges[j].len);
        cr_expect_str_eq(got, rows[i].want, "%s of %llu: %s", rows[i].field, (unsigned long long)rows[i].size, got);
    }
}

Test(range, has_a_limit)
{
    for (size_t over = 0; over <= 1; over++) {
        char field[512] = "bytes=";
        struct range ranges[LIMIT_HTTP_RANGES];
        size_t num;
        for (size_t i = 0; i < LIMIT_HTTP_RANGES + over; i++)
            snprintf(field + strlen(field), sizeof(field) - strlen(field), "%zu-%zu,", 2 * i, 2 * i);
        cr_expect_eq(range_parse(ranges, &num, field, 1000), over ? RANGE_WHOLE : RANGE_PARTS);
        if (!over) cr_expect_eq(num, LIMIT_HTTP_RANGES);
    }
}

Test(hashed_name, knows_what_build_tools_make)
{
    static const struct {
        const char *path;
        bool hashed;
    } rows[] = {
        {"app.0a1b2c3d.js", true},
        {"static/js/main.0a1b2c3d4e5f.chunk", true},
        {"x/app.0a1b2c3d.js.map", true},
        {"a.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.css", true},
        {"a.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0.css", false},
        {"app.0a1b2c3.js", false},  /* 7 */
        {"app.0A1B2C3D.js", false}, /* no tool writes it so */
        {"app.20240101.js", false}, /* a date */
        {"app.deadbeef.js", false}, /* a word */
        {"app.0a1b2c3g.js", false},
        {".0a1b2c3d.js", false},
        {"0a1b2c3d.js", false},
        {"app.0a1b2c3d", false},
        {"app.0a1b2c3d.html", false},
        {"app.js", false},
        {"app", false},
        {"", false},
        {"assets/index-BX1a2b3c.js", true},
        {"assets/index-BX1a2b3c.js.map", true},
        {"app/assets/logo-D4_x-9aQ.svg", true},
        {"assets/my-index-BX1a2b3c.css", true},
        {"index-BX1a2b3c.js", false}, /* not where Vite puts it */
        {"myassets/index-BX1a2b3c.js", false},
        {"assets/x/index-BX1a2b3c.js", false},
        {"assets/index-BX1a2b3c.html", false},
        {"assets/index-BX1a2b3.js", false},   /* 7 */
        {"assets/index-BX1a2b3cd.js", false}, /* 9 */
        {"assets/-BX1a2b3c.js", false},
        {"assets/BX1a2b3c.js", false},
        {"assets/user-settings.js", false},
        {"assets/book-Chapter2.js", false},
        {"assets/photo-IMG12345.jpg", false},
        {"assets/my-component.js", false},
        {"assets/index-BX1a2b3 .js", false},
        {"assets/index-BX1a2b3c", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(hashed_name(rows[i].path), rows[i].hashed, "%s", rows[i].path);
}
