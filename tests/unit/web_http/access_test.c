/* Lines of the access log, whatever clients send; and the names of requests. */
#include "web/http/access.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1_client.h"

static const struct access_record plain = {
    .time_ms = 784111777123,
    .duration_ms = 7,
    .request_id = "0123456789abcdef01234567",
    .peer = "127.0.0.1:4000",
    .subject = "CN=kiosk 1",
    .serial = "0a1b",
    .method = "GET",
    .path = "/hello",
    .protocol = "HTTP/1.1",
    .status = 200,
    .bytes = 12,
};

Test(access, is_json)
{
    char line[ACCESS_LINE];
    access_json(line, &plain);
    cr_expect_str_eq(line, "{\"time\":\"1994-11-06T08:49:37.123Z\",\"id\":\"0123456789abcdef01234567\","
                           "\"peer\":\"127.0.0.1:4000\",\"subject\":\"CN=kiosk 1\",\"serial\":\"0a1b\","
                           "\"method\":\"GET\",\"path\":\"/hello\",\"protocol\":\"HTTP/1.1\",\"status\":200,"
                           "\"bytes\":12,\"ms\":7}");
    struct access_record record = plain;
    record.referer = "https://localhost/";
    record.user_agent = "curl/8";
    access_json(line, &record);
    cr_expect_not_null(strstr(line, "\"ms\":7,\"referer\":\"https://localhost/\",\"user_agent\":\"curl/8\"}"), "%s",
                       line);
}

Test(access, is_combined)
{
    char line[ACCESS_LINE];
    access_combined(line, &plain);
    cr_expect_str_eq(line, "127.0.0.1 - CN=kiosk\\x201 [06/Nov/1994:08:49:37 +0000] \"GET /hello HTTP/1.1\" 200 12 "
                           "\"-\" \"-\" \"0123456789abcdef01234567\"");
    struct access_record record = plain;
    record.peer = "[::1]:4000";
    record.subject = "";
    record.path = NULL;
    record.referer = "https://localhost/a b";
    record.user_agent = "Mozilla/5.0 (X11; \"Linux\") \\ \n";
    access_combined(line, &record);
    cr_expect_str_eq(line, "::1 - - [06/Nov/1994:08:49:37 +0000] \"GET - HTTP/1.1\" 200 12 \"https://localhost/a b\" "
                           "\"Mozilla/5.0 (X11; \\x22Linux\\x22) \\x5c \\x0a\" \"0123456789abcdef01234567\"");
}

static void expect_one_line(const char *line, size_t max)
{
    cr_expect_lt(strlen(line), max);
    for (const char *at = line; *at != '\0'; at++) cr_assert(*at >= 0x20 && *at < 0x7f, "%d in %s", *at, line);
}

/* Every member in turn is each of these. */
Test(access, stands_any_bytes)
{
    static char longest[20000];
    static const char *const texts[] = {
        "",
        "\"",
        "\\",
        "\"}\n{\"status\":200",
        "\r\n127.0.0.1 - - [",
        "\x01\x7f\x80\xff",
        "caf\xc3\xa9",
        "\xf0\x9f\x98\x80",
        "\xed\xa0\x80",
        "\xc3",
        "\xc2\x85",
        "] [",
        "%s%n",
        NULL,
        longest,
    };
    static const char fillers[] = {'a', '"', '\\', '\n', '\xff'};
    for (size_t f = 0; f < sizeof(fillers); f++) {
        memset(longest, fillers[f], sizeof(longest) - 1);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            const char *text = texts[i];
            struct access_record record = {UINT64_MAX, INT64_MAX, "x",        text,      text, text, text,
                                           text,       text,      UINT32_MAX, INT64_MAX, text, text};
            char line[ACCESS_LINE];
            access_combined(line, &record);
            expect_one_line(line, ACCESS_LINE);
            access_json(line, &record);
            expect_one_line(line, ACCESS_LINE);
            json_error_t error;
            json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
            cr_assert_not_null(object, "%s: %s", error.text, line);
            const char *path = json_string_value(json_object_get(object, "path"));
            cr_assert_not_null(path);
            if (text == longest && fillers[f] == 'a') cr_expect_str_eq(path + strlen(path) - 3, "...");
            json_decref(object);
        }
    }
}

Test(access, keeps_what_is_text)
{
    struct access_record record = plain;
    char line[ACCESS_LINE];
    record.path = "/caf\xc3\xa9/\xf0\x9f\x98\x80/\"\\";
    access_json(line, &record);
    cr_expect_not_null(strstr(line, "\"/caf\\u00e9/\\ud83d\\ude00/\\\"\\\\\""), "%s", line);
    json_t *object = json_loads(line, 0, NULL);
    cr_assert_not_null(object);
    cr_expect_str_eq(json_string_value(json_object_get(object, "path")), record.path);
    json_decref(object);
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

Test(request_id, is_never_the_same)
{
    enum { MANY = 10000 };
    static char ids[MANY][REQUEST_ID_LEN + 1];
    struct request_ids source = {0};
    cr_assert_eq(request_ids_init(&source), ERR_OK);
    for (size_t i = 0; i < MANY; i++) {
        request_id_make(ids[i], &source);
        cr_assert_eq(strspn(ids[i], "0123456789abcdef"), REQUEST_ID_LEN);
    }
    qsort(ids, MANY, sizeof(ids[0]), by_text);
    for (size_t i = 1; i < MANY; i++) cr_assert_str_neq(ids[i], ids[i - 1]);
    struct request_ids other = {0};
    char id[REQUEST_ID_LEN + 1];
    cr_assert_eq(request_ids_init(&other), ERR_OK);
    request_id_make(id, &other);
    cr_expect_null(bsearch(id, ids, MANY, sizeof(ids[0]), by_text));
}

static void expect_in_log(struct rig *with, const char *format, const char *id)
{
    char want[128];
    char *log = rig_log(with);
    snprintf(want, sizeof(want), "%s%s", format, id);
    cr_expect_not_null(strstr(log, want), "%s in %s", want, log);
    free(log);
}

Test(request_id, is_in_the_answer_and_the_log)
{
    static const struct {
        enum access_format access;
        const char *before;
    } rows[] = {{ACCESS_TEXT, " id="}, {ACCESS_JSON, "\n{\"time\":\""}, {ACCESS_COMBINED, "\" \""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig own;
        char id[64], second[64], body[128];
        rig_init(&own, &(struct rig_config){.access = rows[i].access});
        rig_start_http1(&own);
        struct answer answer = answer_ask(&own, "GET", "/hello", "X-Request-Id: mine\r\nReferer: r\"r\r\n");
        snprintf(id, sizeof(id), "%s", answer_field(&answer, "X-Request-Id"));
        cr_expect_eq(strlen(id), REQUEST_ID_LEN, "not the client's");
        answer_free(&answer);
        answer = answer_ask(&own, "GET", "/../x", "");
        snprintf(second, sizeof(second), "%s", answer_field(&answer, "X-Request-Id"));
        cr_expect_str_neq(id, second);
        snprintf(body, sizeof(body), "400 Bad Request\nRequest %s\n", second);
        cr_expect_str_eq(answer.body, body);
        answer_free(&answer);
        rig_end_session(&own);
        expect_in_log(&own, rows[i].access == ACCESS_JSON ? "\"id\":\"" : rows[i].before, id);
        expect_in_log(&own, "reason='dot segment in the target' id=", second);
        if (rows[i].access == ACCESS_COMBINED) expect_in_log(&own, "\"r\\x22r\"", "");
        rig_cleanup(&own);
    }
}

Test(request_id, is_all_that_is_left_without_an_access_log)
{
    struct rig own;
    rig_init(&own, &(struct rig_config){.access = ACCESS_NONE});
    rig_start_http1(&own);
    struct answer answer = answer_ask(&own, "GET", "/hello", "");
    cr_expect_not_null(answer_field(&answer, "X-Request-Id"));
    answer_free(&answer);
    rig_end_session(&own);
    char *log = rig_log(&own);
    cr_expect_str_eq(log, "");
    cr_expect_eq(http_site_counters(own.site).requests, 1);
    free(log);
    rig_cleanup(&own);
}
