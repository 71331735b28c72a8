/* What every answer carries, and how an operator changes it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "http1_client.h"
#include "web/http/header_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct answer ask_with(struct rig *with, const char *const *lines, size_t num_lines, const char *host)
{
    struct rig_config config = {.headers = lines, .num_headers = num_lines};
    struct text request = {0}, out = {0};
    struct answer answer;
    size_t at = 0;
    rig_init(with, &config);
    rig_start_http1(with);
    text_print(&request, "GET /hello HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    rig_talk(with, &out, request.data, request.len, 1000);
    cr_assert(answer_read(&answer, &out, &at, false));
    text_free(&request);
    text_free(&out);
    return answer;
}

static void expect_field(const struct answer *answer, const char *name, const char *want)
{
    const char *got = answer_field(answer, name);
    if (want == NULL)
        cr_expect_null(got, "%s: %s", name, got);
    else
        cr_expect(got != NULL && strcmp(got, want) == 0, "%s: %s", name, got ? got : "-");
}

Test(header_table, is_safe_by_default)
{
    struct rig own;
    struct answer answer = ask_with(&own, NULL, 0, "kiosk.example");
    expect_field(&answer, "Content-Security-Policy",
                 "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'");
    expect_field(&answer, "X-Content-Type-Options", "nosniff");
    expect_field(&answer, "Referrer-Policy", "no-referrer");
    expect_field(&answer, "Cross-Origin-Opener-Policy", "same-origin");
    expect_field(&answer, "Cross-Origin-Resource-Policy", "same-origin");
    expect_field(&answer, "Permissions-Policy",
                 "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), "
                 "payment=(), usb=()");
    expect_field(&answer, "Strict-Transport-Security", "max-age=31536000");
    answer_free(&answer);
    rig_cleanup(&own);
}

Test(header_table, is_the_operators)
{
    static const char *const lines[] = {"content-security-policy:default-src 'none'",
                                        "Referrer-Policy:", "X-Frame-Options:DENY",
                                        "X-Nothing:", "strict-transport-security:max-age=1; includeSubDomains"};
    struct rig own;
    struct answer answer = ask_with(&own, lines, COUNT(lines), "kiosk.example");
    expect_field(&answer, "Content-Security-Policy", "default-src 'none'");
    expect_field(&answer, "Referrer-Policy", NULL);
    expect_field(&answer, "X-Frame-Options", "DENY");
    expect_field(&answer, "X-Nothing", NULL);
    expect_field(&answer, "X-Content-Type-Options", "nosniff");
    expect_field(&answer, "Strict-Transport-Security", "max-age=1; includeSubDomains");
    const char *policy = strcasestr(answer.head, "content-security-policy");
    cr_expect_null(strcasestr(policy + 1, "content-security-policy"), "one of two");
    answer_free(&answer);
    rig_cleanup(&own);
}

Test(header_table, never_locks_localhost_in)
{
    static const char *const lines[] = {"Strict-Transport-Security:max-age=1"};
    static const char *const none[] = {"Strict-Transport-Security:"};
    struct rig own;
    struct answer answer = ask_with(&own, lines, 1, "localhost");
    expect_field(&answer, "Strict-Transport-Security", NULL);
    answer_free(&answer);
    rig_cleanup(&own);
    answer = ask_with(&own, none, 1, "kiosk.example");
    expect_field(&answer, "Strict-Transport-Security", NULL);
    answer_free(&answer);
    rig_cleanup(&own);
}

/* As many as there may be, on the answer with the most fields of its own. */
Test(header_table, has_room_for_all)
{
    char text[LIMIT_HEADERS][16];
    const char *lines[LIMIT_HEADERS];
    struct rig own;
    for (size_t i = 0; i < LIMIT_HEADERS; i++) {
        snprintf(text[i], sizeof(text[i]), "X-%zu:%zu", i, i);
        lines[i] = text[i];
    }
    rig_init(&own, &(struct rig_config){.root = true, .headers = lines, .num_headers = LIMIT_HEADERS});
    rig_write_file(own.root_dir, "a.txt", "abc");
    rig_write_file(own.root_dir, "a.txt.gz", "abc");
    rig_start_http1(&own);
    struct answer answer = answer_ask(&own, "GET", "/a.txt", "Accept-Encoding: gzip\r\nRange: bytes=0-0,2-2\r\n");
    cr_expect_eq(answer.status, 206);
    for (size_t i = 0; i < LIMIT_HEADERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "X-%zu", i);
        expect_field(&answer, name, strchr(text[i], ':') + 1);
    }
    answer_free(&answer);
    rig_cleanup(&own);
}
