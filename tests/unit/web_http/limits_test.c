/* Every limit of an HTTP/1 request: at its edge, and one beyond. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http1_client.h"

static void check(const struct text *request, const char *want, const char *what)
{
    static const size_t steps[] = {1, 1000, 1 << 24};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        struct text out = {0};
        rig_talk(&rig, &out, request->data, request->len, steps[i]);
        char got[64];
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, want, "%s: got '%s', want '%s'", what, got, want);
        cr_expect_eq(rig_wants_close(&rig), want[0] == '4' && strcmp(want, "404") != 0, "%s", what);
        text_free(&out);
        rig_cleanup(&rig);
    }
}

Test(limits, target)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /");
        text_fill(&request, 'a', LIMIT_HTTP_TARGET - 1 + over);
        text_print(&request, " HTTP/1.1\r\nHost: a\r\n\r\n");
        check(&request, over ? "414" : "404", "target");
        text_free(&request);
    }
}

Test(limits, target_without_an_end)
{
    struct text request = {0};
    text_print(&request, "GET /");
    text_fill(&request, 'a', 200000);
    check(&request, "414", "endless target");
    text_free(&request);
}

Test(limits, header_section)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\n");
        size_t start = request.len;
        text_print(&request, "Host: a\r\nX: ");
        text_fill(&request, 'b', LIMIT_HTTP_HEADER - (request.len - start) - 2 + over);
        text_print(&request, "\r\n\r\n");
        check(&request, over ? "431" : "200", "header section");
        text_free(&request);
    }
}

Test(limits, header_section_without_an_end)
{
    struct text request = {0};
    text_print(&request, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    text_fill(&request, 'b', 200000);
    check(&request, "431", "endless header");
    text_free(&request);
}

Test(limits, number_of_fields)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\nHost: a\r\n");
        for (size_t i = 1; i < LIMIT_HTTP_FIELDS + over; i++) text_print(&request, "X%zu: y\r\n", i);
        text_print(&request, "\r\n");
        check(&request, over ? "431" : "200", "fields");
        text_free(&request);
    }
}

Test(limits, trailer_fields)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
        for (size_t i = 0; i < LIMIT_HTTP_FIELDS + over; i++) text_print(&request, "X%zu: y\r\n", i);
        text_print(&request, "\r\n");
        check(&request, over ? "431" : "200", "trailers");
        text_free(&request);
    }
}

Test(limits, body_with_a_length)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                   (size_t)LIMIT_HTTP_BODY + over);
        text_fill(&request, 'c', LIMIT_HTTP_BODY + over);
        check(&request, over ? "413" : "200", "body");
        text_free(&request);
    }
}

Test(limits, body_in_chunks)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        text_print(&request, "%x\r\n", LIMIT_HTTP_BODY - 1);
        text_fill(&request, 'c', LIMIT_HTTP_BODY - 1);
        text_print(&request, "\r\n%zx\r\n", 1 + over);
        text_fill(&request, 'c', 1 + over);
        text_print(&request, "\r\n0\r\n\r\n");
        check(&request, over ? "413" : "200", "chunked body");
        text_free(&request);
    }
}

Test(limits, method)
{
    static const char *const wants[] = {"501", "501"};
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_fill(&request, 'M', LIMIT_HTTP_METHOD + over);
        text_print(&request, " / HTTP/1.1\r\nHost: a\r\n\r\n");
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        struct text out = {0};
        rig_talk(&rig, &out, request.data, request.len, 1000);
        char got[64];
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, wants[over]);
        text_free(&out);
        text_free(&request);
        rig_cleanup(&rig);
    }
}

Test(limits, chunk_size_line)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;");
        text_fill(&request, 'e', LIMIT_HTTP_CHUNK_LINE - 2 + over);
        text_print(&request, "\r\nx\r\n0\r\n\r\n");
        check(&request, over ? "400" : "200", "chunk extension");
        text_free(&request);
    }
}

Test(limits, host)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text request = {0};
        text_print(&request, "GET /hello HTTP/1.1\r\nHost: ");
        text_fill(&request, 'h', LIMIT_NAME + over);
        text_print(&request, "\r\n\r\n");
        check(&request, over ? "400" : "200", "host");
        text_free(&request);
    }
}

Test(limits, log_lines)
{
    enum { MANY = 2 * LIMIT_HTTP_LOG_BURST };
    static const char request[] = "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n";
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    uint64_t begin = clock_monotonic_ms();
    for (int i = 0; i < MANY; i++) {
        struct text out = {0};
        rig_start_http1(&rig);
        rig_talk(&rig, &out, request, sizeof(request) - 1, sizeof(request));
        text_free(&out);
    }
    rig_end_session(&rig);
    uint64_t seconds = (clock_monotonic_ms() - begin) / 1000 + 1;
    char *log = rig_log(&rig);
    uint64_t lines = 0;
    for (const char *at = log; (at = strchr(at, '\n')) != NULL; at++) lines++;
    cr_expect_geq(lines, LIMIT_HTTP_LOG_BURST);
    cr_expect_leq(lines, LIMIT_HTTP_LOG_BURST + 2 * seconds * LIMIT_HTTP_LOG_PER_SECOND, "%lu", (unsigned long)lines);
    cr_expect_not_null(strstr(log, "too many requests to log them all withheld="));
    cr_expect_eq(http_site_counters(rig.site).requests, MANY);
    free(log);
    rig_cleanup(&rig);
}
