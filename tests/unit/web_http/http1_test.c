/* Requests, and what they are worth: each whole and in pieces, with the same answers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http1_client.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: localhost:9000\r\n\r\n"
#define H "Host: localhost\r\n"

struct row {
    const char *request;
    const char *statuses;
    bool closes;
    const char *reason; /* in the log; NULL: nothing is refused */
};

static const size_t steps[] = {1, 2, 3, 7, 64, 1 << 20};
#define NUM_STEPS (sizeof(steps) / sizeof(steps[0]))

/* Feeds one request to a fresh session in every way of cutting it up. */
static void check_row(const struct row *row, size_t len)
{
    struct text first = {0};
    for (size_t i = 0; i < NUM_STEPS; i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        rig.out_step = steps[i] > 4096 ? 4096 : steps[i];
        struct text out = {0};
        rig_talk(&rig, &out, row->request, len, steps[i]);
        char got[64];
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, row->statuses, "%.80s: got '%s', want '%s'", row->request, got, row->statuses);
        cr_expect_eq(rig_wants_close(&rig), row->closes, "%.80s: closes %d", row->request, rig_wants_close(&rig));
        char *log = rig_log(&rig);
        if (row->reason == NULL)
            cr_expect_null(strstr(log, "refused"), "%.80s: %s", row->request, log);
        else
            cr_expect_not_null(strstr(log, row->reason), "%.80s: want '%s', log %s", row->request, row->reason, log);
        free(log);
        without_date(&out);
        if (i == 0) text_add(&first, out.data, out.len);
        cr_expect(out.len == first.len && memcmp(out.data, first.data, out.len) == 0,
                  "%.80s: pieces of %zu bytes get another answer", row->request, steps[i]);
        text_free(&out);
        rig_cleanup(&rig);
    }
    text_free(&first);
}

static void check_rows(const struct row *rows, size_t num_rows)
{
    for (size_t i = 0; i < num_rows; i++) check_row(&rows[i], strlen(rows[i].request));
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

Test(http1, answers_well_formed_requests)
{
    static const struct row rows[] = {
        {GET("/hello"), "200", false, NULL},
        {GET("/hello?a=b&c=%00"), "200", false, NULL},
        {GET("/"), "200", false, NULL},
        {GET("/index.html"), "200", false, NULL},
        {GET("/keyward.js"), "200", false, NULL},
        {GET("/keyward.css"), "200", false, NULL},
        {GET("/nothing"), "404", false, NULL},
        {GET("/hello/"), "404", false, NULL},
        {GET("/hell%6f"), "200", false, NULL},
        {"\r\n\r\n" GET("/hello"), "200", false, NULL},
        {"GET /hello HTTP/1.0\r\n\r\n", "200", true, NULL},
        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200", true, NULL},
        {"GET /hello HTTP/1.1\r\nhOsT:localhost\r\n\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\nHost: \t[::1]:9000 \t\r\n\r\n", "200", false, NULL},
        {"GET https://localhost:9000/hello HTTP/1.1\r\n" H "\r\n", "200", false, NULL},
        {"GET HTTP://other.example/hello HTTP/1.1\r\n" H "\r\n", "200", false, NULL},
        {"GET https://localhost HTTP/1.1\r\n" H "\r\n", "200", false, NULL},
        {"GET https://localhost?x HTTP/1.1\r\n" H "\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nabcde", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5  \r\n\r\nabcde", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00\r\n\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
         "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Empty:\r\nX: caf\xc3\xa9\r\n\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" GET("/hello"), "200 200", false,
         NULL},
    };
    CHECK_ROWS(rows);
}

Test(http1, refuses_what_is_not_done_here)
{
    static const struct row rows[] = {
        {"POST /hello HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"PUT /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", "405", true, "method not allowed"},
        {"DELETE / HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"TRACE / HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n", "405", true, "method not allowed"},
        {"GET /upload/x HTTP/1.1\r\n" H "\r\n", "405", false, "method not allowed"},
        {"PUT /upload/x HTTP/1.1\r\n" H "\r\n", "403", false, "uploads are not enabled"},
        {"FROB / HTTP/1.1\r\n" H "\r\n", "501", true, "invalid HTTP method"},
        {"get / HTTP/1.1\r\n" H "\r\n", "501", true, "invalid HTTP method"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "501", true, "invalid HTTP method"},
        {"GET / HTTP/2.0\r\n" H "\r\n", "505", true, "not HTTP/1"},
        {"GET / HTTP/0.9\r\n" H "\r\n", "505", true, "not HTTP/1"},
        {"GET /hello HTTP/1.1\r\n" H "Expect: 200-maybe\r\n\r\n", "417", true, "unknown expectation"},
        {"GET / HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\n", "413", true, "Content-Length over the limit"},
        {"GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n", "400", true, "refused"},
    };
    CHECK_ROWS(rows);
}

/* Everything that two readers of one stream may read in two ways (RFC 9112, 11.2). */
Test(http1, refuses_smuggling)
{
    static const struct row rows[] = {
        /* CL.TE, TE.CL, TE.TE */
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", "400", true,
         "refused"},
        {"GET /hello HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
         "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
         "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400",
         true, "more than one Transfer-Encoding"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding:\x0b chunked\r\n\r\n0\r\n\r\n", "400", true,
         "control character in a header field"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", "400", true,
         "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", "400", true, "Transfer-Encoding is not chunked"},
        {"GET /hello HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", true,
         "Transfer-Encoding outside of HTTP/1.1"},
        /* Content-Length */
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 1 2\r\n\r\nabcde", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "400", true, "refused"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\na", "400", true, "refused"},
        /* Line ends and white space */
        {"GET /hello HTTP/1.1\nHost: localhost\n\n", "400", true, "LF without CR"},
        {"GET /hello HTTP/1.1\r\nHost: localhost\n\r\n", "400", true, "LF without CR"},
        {"GET /hello HTTP/1.1\r\n" H "\n", "400", true, "LF without CR"},
        {"GET /hello HTTP/1.1\r\n" H "A: b\rContent-Length: 5\r\n\r\n", "400", true, "CR without LF"},
        {"GET /hello HTTP/1.1\r\r\n" H "\r\n", "400", true, "CR without LF"},
        {"\rGET /hello HTTP/1.1\r\n" H "\r\n", "400", true, "CR without LF"},
        {"GET /hello HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "400", true, "folded header field"},
        {"GET /hello HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", "400", true, "folded header field"},
        {"GET /hello HTTP/1.1\r\n X: y\r\n" H "\r\n", "400", true, "folded header field"},
        {"GET /hello HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400", true,
         "bad character in a field name"},
        {"GET /hello HTTP/1.1\r\n" H "Content-Length\t: 5\r\n\r\nabcde", "400", true, "bad character in a field name"},
        {"GET /hello HTTP/1.1\r\n" H "Content Length: 5\r\n\r\nabcde", "400", true, "bad character in a field name"},
        {"GET /hello HTTP/1.1\r\n" H ": 5\r\n\r\n", "400", true, "header field without a name"},
        {"GET /hello HTTP/1.1\r\n" H "Nothing\r\n\r\n", "400", true, "header field without a colon"},
        {"GET /hello HTTP/1.1\r\n" H "A: \x01\r\n\r\n", "400", true, "control character in a header field"},
        {"GET  /hello HTTP/1.1\r\n" H "\r\n", "400", true, "superfluous space"},
        {"GET /hello  HTTP/1.1\r\n" H "\r\n", "400", true, "superfluous space"},
        {"GET /hello HTTP/1.1 \r\n" H "\r\n", "400", true, "superfluous space"},
        {" GET /hello HTTP/1.1\r\n" H "\r\n", "400", true, "superfluous space"},
        {"GET\t/hello HTTP/1.1\r\n" H "\r\n", "400", true, "bad character in the request line"},
        {"GET /hello\r\n\r\n", "400", true, "incomplete request line"},
        {"GET\r\n\r\n", "400", true, "incomplete request line"},
        {"GET /hello HTTP/1.1x\r\n" H "\r\n", "400", true, "bad version"},
        {"GET /hello HTTP/x.1\r\n" H "\r\n", "505", true, "refused"},
        {"GET /hello FTP/1.1\r\n" H "\r\n", "400", true, "refused"},
        {"\x16\x03\x01\x02", "400", true, "bad character in the request line"},
        {"\r\n\r\n\r\n\r\n", "400", true, "empty lines instead of a request"},
        /* Host */
        {"GET /hello HTTP/1.1\r\n\r\n", "400", true, "no Host"},
        {"GET /hello HTTP/1.1\r\n" H H "\r\n", "400", true, "more than one Host"},
        {"GET /hello HTTP/1.1\r\nHost:\r\n\r\n", "400", true, "no host"},
        {"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", "400", true, "bad character in the host"},
        {"GET /hello HTTP/1.1\r\nHost: user@a\r\n\r\n", "400", true, "bad character in the host"},
        {"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", "400", true, "bad character in the host"},
        {"GET /hello HTTP/1.1\r\nHost: a:80x\r\n\r\n", "400", true, "bad port"},
        {"GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n", "400", true, "unfinished IP literal"},
        {"GET https://user@localhost/hello HTTP/1.1\r\n" H "\r\n", "400", true, "refused"},
        {"GET localhost:80 HTTP/1.1\r\n" H "\r\n", "400", true, "refused"},
        {"GET * HTTP/1.1\r\n" H "\r\n", "400", true, "form does not fit"},
    };
    CHECK_ROWS(rows);
}

#define CHUNKED "GET /hello HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

Test(http1, refuses_bad_chunks)
{
    static const struct row rows[] = {
        {CHUNKED "x\r\n", "400", true, "bad chunk size"},
        {CHUNKED "\r\n", "400", true, "no chunk size"},
        {CHUNKED " 5\r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "5 \r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "0x5\r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "-5\r\nabcde\r\n0\r\n\r\n", "400", true, "bad chunk size"},
        {CHUNKED "5\nabcde\r\n0\r\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "5\rXabcde\r\n0\r\n\r\n", "400", true, "CR without LF"},
        {CHUNKED "5\r\nabcdeXX0\r\n\r\n", "400", true, "chunk longer than its size"},
        {CHUNKED "5\r\nabcde\n0\r\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "5\r\nabcde\rX0\r\n\r\n", "400", true, "CR without LF"},
        {CHUNKED "5;a=b\nX\r\nabcde\r\n0\r\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "5;a=\x01\r\nabcde\r\n0\r\n\r\n", "400", true, "bad character in a chunk extension"},
        {CHUNKED "0\r\n folded\r\n\r\n", "400", true, "folded header field"},
        {CHUNKED "0\r\nA : b\r\n\r\n", "400", true, "bad character in a field name"},
        {CHUNKED "0\r\nA: b\n\r\n", "400", true, "LF without CR"},
        {CHUNKED "10000000000000005\r\nabcde\r\n0\r\n\r\n", "400", true, "refused"},
    };
    CHECK_ROWS(rows);
}

Test(http1, refuses_targets_that_leave_the_tree)
{
    static const struct row rows[] = {
        {GET("/../etc/passwd"), "400", true, "dot segment"},
        {GET("/a/../hello"), "400", true, "dot segment"},
        {GET("/.."), "400", true, "dot segment"},
        {GET("/./hello"), "400", true, "dot segment"},
        {GET("/%2e%2e/etc/passwd"), "400", true, "dot segment"},
        {GET("/.%2E/etc/passwd"), "400", true, "dot segment"},
        {GET("/a%2f..%2fetc"), "400", true, "encoded slash"},
        {GET("/%00"), "400", true, "control character"},
        {GET("/a%0d%0aX: y"), "400", true, "superfluous space"},
        {GET("/a%0d%0a"), "400", true, "control character"},
        {GET("/%"), "400", true, "incomplete percent-encoding"},
        {GET("/%4"), "400", true, "incomplete percent-encoding"},
        {GET("/%zz"), "400", true, "bad percent-encoding"},
        {GET("/#top"), "400", true, "fragment"},
        {GET("/a?b#top"), "400", true, "fragment"},
        {GET("hello"), "400", true, "refused"},
        {GET("/\x80"), "400", true, "bad character in the request line"},
        {GET("//etc/passwd"), "404", false, NULL},
        {GET("/.env"), "404", false, NULL},
    };
    CHECK_ROWS(rows);
}

Test(http1, takes_NUL_nowhere)
{
    static const char in_line[] = "GET /he\0lo HTTP/1.1\r\n" H "\r\n";
    check_row(&(struct row){in_line, "400", true, "bad character in the request line"}, sizeof(in_line) - 1);
    static const char in_name[] = "GET /hello HTTP/1.1\r\nHo\0st: a\r\n\r\n";
    check_row(&(struct row){in_name, "400", true, "bad character in a field name"}, sizeof(in_name) - 1);
    static const char in_value[] = "GET /hello HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    check_row(&(struct row){in_value, "400", true, "control character in a header field"}, sizeof(in_value) - 1);
}

Test(http1, answers_pipelined_requests_in_order)
{
    static const struct row rows[] = {
        {GET("/hello") GET("/nothing") GET("/hello"), "200 404 200", false, NULL},
        {GET("/hello") "GET /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc" GET("/api/get?not"), "200 200 200",
         false, NULL},
        {CHUNKED "2\r\nab\r\n0\r\n\r\n" GET("/nothing"), "200 404", false, NULL},
        {GET("/hello") "BAD\r\n\r\n" GET("/hello"), "200 400", true, "incomplete request line"},
        {"GET /hello HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET("/nothing"), "200", true, NULL},
    };
    check_rows(rows, 1);
    check_rows(rows + 2, 3);
}

/* What the connection layer does not promise to hold back is kept. */
Test(http1, keeps_what_arrives_during_a_response)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    static const char requests[] = GET("/hello") GET("/nothing");
    for (size_t i = 0; i < sizeof(requests) - 1; i++)
        cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)&requests[i], 1), ERR_OK);
    cr_assert_eq(rig.session->ops->wants(rig.session), (unsigned)SESSION_WRITE);
    struct text out = {0};
    rig_pump(&rig, &out);
    char got[64];
    statuses(got, sizeof(got), &out);
    cr_assert_str_eq(got, "200 404");
    cr_assert_eq(rig.session->ops->wants(rig.session), (unsigned)SESSION_READ);
    text_free(&out);
    rig_cleanup(&rig);
}

Test(http1, limits_what_it_keeps_during_a_response)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    struct text flood = {0};
    text_fill(&flood, 'x', 256 * 1024);
    static const char request[] = GET("/hello");
    cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1), ERR_OK);
    cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)flood.data, flood.len), ERR_OK);
    cr_assert_eq(rig.session->ops->receive(rig.session, (const uint8_t *)flood.data, 1), ERR_TOO_LARGE);
    text_free(&flood);
    rig_cleanup(&rig);
}

static struct answer ask(struct rig *rig, const char *request, bool head)
{
    struct text out = {0};
    struct answer answer;
    size_t at = 0;
    rig_talk(rig, &out, request, strlen(request), 1 << 20);
    cr_assert(answer_read(&answer, &out, &at, head));
    cr_assert_eq(at, out.len, "more than one answer: %s", out.data);
    text_free(&out);
    return answer;
}

Test(http1, gives_hello_with_all_its_fields)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    struct answer answer = ask(&rig, GET("/hello"), false);
    cr_expect_str_eq(answer.body, "Hello World\n");
    cr_expect_str_eq(answer_field(&answer, "Content-Type"), "text/plain; charset=utf-8");
    cr_expect_str_eq(answer_field(&answer, "X-Content-Type-Options"), "nosniff");
    cr_expect_str_eq(answer_field(&answer, "Referrer-Policy"), "no-referrer");
    const char *policy = answer_field(&answer, "Content-Security-Policy");
    cr_expect(policy != NULL && strstr(policy, "default-src 'self'") != NULL);
    cr_expect(policy != NULL && strstr(policy, "frame-ancestors 'none'") != NULL && strstr(policy, "unsafe") == NULL);
    cr_expect_eq(strlen(answer_field(&answer, "Date")), 29);
    cr_expect_null(answer_field(&answer, "Server"));
    cr_expect_null(answer_field(&answer, "Connection"));
    cr_expect_null(answer_field(&answer, "Strict-Transport-Security"), "it would lock out other ports of localhost");
    answer_free(&answer);
    rig_cleanup(&rig);
}

Test(http1, tells_real_hosts_to_stay_with_https)
{
    static const struct {
        const char *host;
        bool hsts;
    } rows[] = {
        {"kiosk.example", true}, {"kiosk.example:9000", true}, {"notlocalhost", true}, {"localhost", false},
        {"LOCALHOST:1", false},  {"app.localhost", false},     {"127.0.0.1:9", false}, {"[::1]:9000", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        char request[128];
        snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
        struct answer answer = ask(&rig, request, false);
        cr_expect_eq(answer_field(&answer, "Strict-Transport-Security") != NULL, rows[i].hsts, "%s", rows[i].host);
        answer_free(&answer);
        rig_cleanup(&rig);
    }
}

Test(http1, gives_the_api_what_the_connection_knows)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    struct answer answer = ask(&rig, GET("/api/get"), false);
    cr_expect_str_eq(answer_field(&answer, "Content-Type"), "application/json");
    cr_expect_str_eq(answer_field(&answer, "Cache-Control"), "no-store");
    static const char *const parts[] = {
        "\"message\": \"",
        "\"subject\": \"CN=kiosk \\\"1\\\"\"",
        "\"issuer\": \"CN=Keyward CA\"",
        "\"serial\": \"0a1b\"",
        "\"not_after\": \"2023-11-14T22:13:20.000Z\"",
        "\"protocol\": \"TLSv1.3\"",
        "\"cipher\": \"TLS_AES_128_GCM_SHA256\"",
        "\"group\": \"X25519\"",
        "\"alpn\": \"http/1.1\"",
        "\"fingerprint\": \"0000",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        cr_expect_not_null(strstr(answer.body, parts[i]), "no %s in %s", parts[i], answer.body);
    const char *stamp = strstr(answer.body, "\"timestamp\": \"20");
    cr_assert_not_null(stamp);
    cr_expect_eq(stamp[strlen("\"timestamp\": \"") + 23], 'Z');
    answer_free(&answer);
    rig_cleanup(&rig);
}

Test(http1, gives_HEAD_the_head_of_GET)
{
    static const char *const targets[] = {"/hello", "/", "/nothing", "/keyward.css"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        char request[128];
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" H "\r\n", targets[i]);
        struct answer get = ask(&rig, request, false);
        snprintf(request, sizeof(request), "HEAD %s HTTP/1.1\r\n" H "\r\n", targets[i]);
        struct answer head = ask(&rig, request, true);
        struct text a = {0};
        struct text b = {0};
        text_add(&a, get.head, strlen(get.head));
        text_add(&b, head.head, strlen(head.head));
        without_date(&a);
        without_date(&b);
        cr_expect_str_eq(a.data, b.data);
        cr_expect_gt(get.body_len, 0);
        text_free(&a);
        text_free(&b);
        answer_free(&get);
        answer_free(&head);
        rig_cleanup(&rig);
    }
}

Test(http1, names_the_allowed_methods)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    struct answer answer = ask(&rig, "POST /hello HTTP/1.1\r\n" H "\r\n", false);
    cr_expect_str_eq(answer_field(&answer, "Allow"), "GET, HEAD");
    answer_free(&answer);
    answer = ask(&rig, "GET /upload/x HTTP/1.1\r\n" H "\r\n", false);
    cr_expect_str_eq(answer_field(&answer, "Allow"), "PUT");
    answer_free(&answer);
    rig_cleanup(&rig);
}

Test(http1, asks_for_the_body_when_expected_to)
{
    static const struct row rows[] = {
        {"GET /hello HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab", "100 200", false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "100 200",
         false, NULL},
        {"GET /hello HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n", "200", false, NULL},
        {"GET /hello HTTP/1.0\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab", "200", true, NULL},
        {"PUT /hello HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "405", true, "not allowed"},
        {"GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n", "413", true, "over the limit"},
    };
    CHECK_ROWS(rows);
}

static void expect_deadline(struct rig *rig, uint64_t ms, const char *what)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t deadline = rig->session->ops->deadline(rig->session);
    cr_expect(deadline <= now + ms && deadline + 2000 > now + ms, "%s: in %lld ms, want %llu", what,
              (long long)(deadline - now), (unsigned long long)ms);
}

Test(http1, has_a_deadline_in_every_waiting_state)
{
    static const struct {
        const char *begun;
        uint64_t deadline_ms;
        const char *statuses;
    } rows[] = {
        {"", DEADLINE_IDLE_MS, ""},
        {"G", DEADLINE_HEADER_MS, "408"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\n", DEADLINE_HEADER_MS, "408"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na", DEADLINE_BODY_MS, "408"},
        {CHUNKED, DEADLINE_BODY_MS, "408"},
        {GET("/hello"), DEADLINE_IDLE_MS, "200"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        struct text out = {0};
        rig_talk(&rig, &out, rows[i].begun, strlen(rows[i].begun), 1000);
        expect_deadline(&rig, rows[i].deadline_ms, rows[i].begun);
        rig.session->ops->expire(rig.session);
        rig_pump(&rig, &out);
        char got[64];
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, rows[i].statuses, "%s: %s", rows[i].begun, got);
        cr_expect(rig_wants_close(&rig), "%s", rows[i].begun);
        cr_expect_eq(rig.session->ops->deadline(rig.session), 0);
        text_free(&out);
        rig_cleanup(&rig);
    }
}

Test(http1, does_not_let_a_slow_head_move_its_deadline)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    struct text out = {0};
    rig_talk(&rig, &out, "GET", 3, 1);
    uint64_t first = rig.session->ops->deadline(rig.session);
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
    rig_talk(&rig, &out, " /hello HTTP/1.1\r\n", 18, 1);
    cr_assert_eq(rig.session->ops->deadline(rig.session), first);
    text_free(&out);
    rig_cleanup(&rig);
}

Test(http1, finishes_what_is_begun_when_it_drains)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    rig.session->ops->drain(rig.session);
    cr_expect(rig_wants_close(&rig), "an idle session has nothing to finish");
    rig_start_http1(&rig);
    struct text out = {0};
    rig_talk(&rig, &out, "GET /hello HTTP/1.1\r\n", 21, 100);
    rig.session->ops->drain(rig.session);
    cr_expect_not(rig_wants_close(&rig));
    rig_talk(&rig, &out, H "\r\n" GET("/hello"), strlen(H "\r\n" GET("/hello")), 1000);
    struct answer answer;
    size_t at = 0;
    cr_assert(answer_read(&answer, &out, &at, false));
    cr_expect_eq(answer.status, 200);
    cr_expect_str_eq(answer_field(&answer, "Connection"), "close");
    cr_expect_eq(at, out.len, "it began something new");
    cr_expect(rig_wants_close(&rig));
    answer_free(&answer);
    text_free(&out);
    rig_cleanup(&rig);
}

Test(http1, ends_when_the_peer_ends)
{
    static const struct {
        const char *begun;
        const char *statuses;
    } rows[] = {{"", ""}, {"GET /he", "400"}, {CHUNKED "5\r\nab", "400"}, {GET("/hello"), "200"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        struct text out = {0};
        const uint8_t *begun = (const uint8_t *)rows[i].begun;
        if (*begun != '\0') cr_assert_eq(rig.session->ops->receive(rig.session, begun, strlen(rows[i].begun)), ERR_OK);
        rig.session->ops->receive_end(rig.session);
        rig_pump(&rig, &out);
        text_add(&out, "", 0);
        char got[64];
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, rows[i].statuses, "%s: %s", rows[i].begun, got);
        cr_expect(rig_wants_close(&rig), "%s", rows[i].begun);
        text_free(&out);
        rig_cleanup(&rig);
    }
}

Test(http1, logs_each_request_and_counts_it)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    struct text out = {0};
    static const char requests[] = GET("/hello") GET("/a'b%22") "BAD\r\n";
    rig_talk(&rig, &out, requests, sizeof(requests) - 1, 1000);
    rig_end_session(&rig);
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "request peer='127.0.0.1:4000' method=GET path='/hello' status=200 bytes=12 "
                                   "protocol=HTTP/1.1 subject='CN=kiosk \\x221\\x22' ms="),
                       "%s", log);
    cr_expect_not_null(strstr(log, "path='/a\\x27b\\x22' status=404"), "%s", log);
    cr_expect_not_null(strstr(log, "request refused peer='127.0.0.1:4000' status=400 reason='incomplete request line'"),
                       "%s", log);
    struct http_site_counters counters = http_site_counters(rig.site);
    cr_expect_eq(counters.requests, 3);
    cr_expect_eq(counters.requests_refused, 1);
    free(log);
    text_free(&out);
    rig_cleanup(&rig);
}
