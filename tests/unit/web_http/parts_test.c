/* The parts that need no session. */
#include <criterion/criterion.h>
#include <string.h>

#include "web/http/buffer.h"
#include "web/http/conditional.h"
#include "web/http/date.h"
#include "web/http/http1_scan.h"
#include "web/http/meter.h"
#include "web/http/mime.h"
#include "web/http/target.h"

Test(date, writes_http_dates)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},  {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},  {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"}, {DATE_MAX_S, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {UINT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[DATE_HTTP_LEN + 1];
        uint64_t back = 1;
        date_http(text, rows[i].seconds);
        cr_expect_str_eq(text, rows[i].text);
        cr_expect_eq(date_parse(&back, text), ERR_OK, "%s", text);
        if (rows[i].seconds <= DATE_MAX_S) cr_expect_eq(back, rows[i].seconds, "%s", text);
    }
}

Test(date, writes_iso_dates)
{
    char text[DATE_ISO_LEN + 1];
    date_iso(text, UINT64_C(784111777007));
    cr_expect_str_eq(text, "1994-11-06T08:49:37.007Z");
}

Test(date, reads_all_three_forms)
{
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < 3; i++) {
        uint64_t seconds = 0;
        cr_expect_eq(date_parse(&seconds, forms[i]), ERR_OK, "%s", forms[i]);
        cr_expect_eq(seconds, 784111777, "%s", forms[i]);
    }
}

Test(date, refuses_what_is_no_date)
{
    static const char *const texts[] = {"",
                                        "0",
                                        "now",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        "Sun, 06 Nov 1994 08:49:37 GMT x",
                                        "Sun, 06 Nov 1969 08:49:37 GMT",
                                        "Sun, 00 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 99999 08:49:37 GMT"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t seconds = 0;
        cr_expect_neq(date_parse(&seconds, texts[i]), ERR_OK, "%s", texts[i]);
    }
}

Test(target, encodes_what_is_not_plain)
{
    char out[64];
    target_encode(out, "/a-b._~/\xc3\xa9 %?#\"<");
    cr_expect_str_eq(out, "/a-b._~/%C3%A9%20%25%3F%23%22%3C");
}

Test(target, keeps_a_backslash_a_name)
{
    struct target target;
    struct fault fault = target_parse(&target, "/a%5c..%5cb\\c", 13);
    cr_expect_eq(fault.status, 0);
    cr_expect_str_eq(target.path, "/a\\..\\b\\c");
    target_cleanup(&target);
}

Test(mime, knows_extensions)
{
    static const struct {
        const char *name;
        const char *type;
    } rows[] = {
        {"a.html", "text/html; charset=utf-8"},
        {"A.HTML", "text/html; charset=utf-8"},
        {"x/y.mjs", "text/javascript; charset=utf-8"},
        {"a.wasm", "application/wasm"},
        {"a.woff2", "font/woff2"},
        {"a.tar.gz", "application/gzip"},
        {"a.webmanifest", "application/manifest+json"},
        {"a.json", "application/json"},
        {"a.avif", "image/avif"},
        {"a.ico", "image/vnd.microsoft.icon"},
        {"a.js.map", "application/json"},
        {"html", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"v1.2/readme", "application/octet-stream"},
        {"a.html~", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) cr_expect_str_eq(mime_type(rows[i].name), rows[i].type);
}

Test(meter, lets_a_burst_through_and_then_a_rate)
{
    struct meter meter;
    meter_init(&meter, 3, 10, 1000);
    for (int i = 0; i < 3; i++) cr_expect_eq(meter_count(&meter, 1000), METER_FINE);
    cr_expect_eq(meter_count(&meter, 1099), METER_FLOOD);
    cr_expect_eq(meter_count(&meter, 1100), METER_FINE);
    cr_expect_eq(meter_count(&meter, 1101), METER_FLOOD);
    for (int i = 0; i < 3; i++) cr_expect_eq(meter_count(&meter, 100000), METER_FINE);
    cr_expect_eq(meter_count(&meter, 100000), METER_FLOOD);
}

Test(buffer, gives_back_what_it_took)
{
    struct buffer buffer = {0};
    uint8_t out[8192];
    uint8_t in[3000];
    memset(in, 7, sizeof(in));
    in[0] = 1;
    cr_expect_eq(buffer_append(&buffer, (struct bytes){in, 3000}, 6000), ERR_OK);
    cr_expect_eq(buffer_append(&buffer, (struct bytes){in, 3000}, 6000), ERR_OK);
    cr_expect_eq(buffer_append(&buffer, (struct bytes){in, 1}, 6000), ERR_TOO_LARGE);
    cr_expect_eq(buffer_take(&buffer, out, 3000), 3000);
    cr_expect_eq(out[0], 1);
    cr_expect_eq(buffer_append(&buffer, (struct bytes){in, 3000}, 6000), ERR_OK);
    cr_expect_eq(buffer_take(&buffer, out, sizeof(out)), 6000);
    cr_expect(out[0] == 1 && out[2999] == 7 && out[3000] == 1 && out[5999] == 7);
    cr_expect_eq(buffer_left(&buffer).len, 0);
    buffer_free(&buffer);
}

Test(scan, ends_exactly_at_the_empty_line)
{
    static const char head[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nbody";
    struct scan scan;
    size_t len;
    scan_start(&scan, SCAN_HEAD);
    struct fault fault = scan_bytes(&scan, (struct bytes){(const uint8_t *)head, sizeof(head) - 1}, &len);
    cr_expect_eq(fault.status, 0);
    cr_expect(scan.done);
    cr_expect_eq(len, sizeof(head) - 1 - 4);
}
