/* Requests over HTTP/2 that RFC 9113 calls malformed, and those that only look so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "http2_client.h"

TestSuite(http2_rules, .init = http2_start, .fini = http2_stop);

#define MAX_FIELDS 8

/* A name as it is written: nghttp2 would make it lower-case otherwise. */
#define RAW(name, value)                                                                          \
    {                                                                                             \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), \
            NGHTTP2_NV_FLAG_NO_COPY_NAME                                                          \
    }
#define METHOD RAW(":method", "GET")
#define SCHEME RAW(":scheme", "https")
#define AUTHORITY RAW(":authority", "localhost")
#define PATH RAW(":path", "/hello")
#define START METHOD, SCHEME, AUTHORITY, PATH

enum { RESET = 0 };

struct case_row {
    const char *section; /* of RFC 9113 */
    const char *what;
    unsigned status; /* or RESET: by PROTOCOL_ERROR */
    nghttp2_nv fields[MAX_FIELDS];
};

static int32_t send_fields(const nghttp2_nv *fields, uint8_t flags)
{
    size_t num = 0;
    while (num < MAX_FIELDS && fields[num].name != NULL) num++;
    int32_t id = nghttp2_submit_headers(client->session, flags, -1, NULL, fields, num, NULL);
    cr_assert_gt(id, 0);
    return id;
}

static void check_cases(const struct case_row *cases, size_t num_cases)
{
    for (size_t i = 0; i < num_cases; i++) {
        const struct case_row *row = &cases[i];
        restart(WINDOW_AUTO);
        int32_t id = send_fields(row->fields, NGHTTP2_FLAG_END_STREAM);
        cr_assert_eq(exchange_all(), ERR_OK, "%s: %s", row->section, row->what);
        cr_expect_eq(reply_of(id)->status, row->status, "%s: %s: %u", row->section, row->what, reply_of(id)->status);
        uint32_t error = row->status == RESET ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_NO_ERROR;
        cr_expect(reply_of(id)->closed && reply_of(id)->error == error, "%s: %s", row->section, row->what);
        cr_expect_eq(ask("GET", "/hello")->status, 200, "%s: %s: the connection is as good as before", row->section,
                     row->what);
    }
}

#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof((cases)[0]))

Test(http2_rules, fields_of_the_connection)
{
    static const struct case_row cases[] = {
        {"8.2.2", "connection", RESET, {START, RAW("connection", "keep-alive")}},
        {"8.2.2", "connection: close", RESET, {START, RAW("connection", "close")}},
        {"8.2.2", "keep-alive", RESET, {START, RAW("keep-alive", "timeout=5")}},
        {"8.2.2", "proxy-connection", RESET, {START, RAW("proxy-connection", "keep-alive")}},
        {"8.2.2", "transfer-encoding", RESET, {START, RAW("transfer-encoding", "chunked")}},
        {"8.2.2", "upgrade", RESET, {START, RAW("upgrade", "websocket")}},
        {"8.2.2", "te: gzip", RESET, {START, RAW("te", "gzip")}},
        {"8.2.2", "te: trailers, gzip", RESET, {START, RAW("te", "trailers, gzip")}},
        {"8.2.2", "te: trailers", 200, {START, RAW("te", "trailers")}},
        {"8.2.2", "te: Trailers", 200, {START, RAW("te", "Trailers")}},
    };
    CHECK_CASES(cases);
}

Test(http2_rules, names_and_values)
{
    static const struct case_row cases[] = {
        {"8.2.1", "upper-case name", RESET, {START, RAW("X-Upper", "1")}},
        {"8.2.1", "one upper-case letter", RESET, {START, RAW("content-lengtH", "0")}},
        {"8.2.1", "space in a name", RESET, {START, RAW("a b", "1")}},
        {"8.2.1", "space behind a name", RESET, {START, RAW("content-length ", "0")}},
        {"8.2.1", "colon in a name", RESET, {START, RAW("a:b", "1")}},
        {"8.2.1", "control character in a name", RESET, {START, RAW("a\x01", "1")}},
        {"8.2.1", "letter of another alphabet in a name", RESET, {START, RAW("\xc3\xa9", "1")}},
        {"8.2.1", "CR in a value", RESET, {START, RAW("a", "b\rc")}},
        {"8.2.1", "LF in a value", RESET, {START, RAW("a", "b\nc")}},
        {"8.2.1", "another request in a value", RESET, {START, RAW("a", "b\r\nhost: c")}},
        {"8.2.1", "blank before a value", RESET, {START, RAW("a", " b")}},
        {"8.2.1", "blank behind a value", RESET, {START, RAW("a", "b\t")}},
        {"8.2.1", "no value", 200, {START, RAW("a", "")}},
        {"8.2.1", "letters beyond ASCII in a value", 200, {START, RAW("a", "\xc3\xa9")}},
    };
    CHECK_CASES(cases);
}

Test(http2_rules, NUL_in_a_value)
{
    nghttp2_nv fields[MAX_FIELDS] = {START, {(uint8_t *)(uintptr_t) "a", (uint8_t *)(uintptr_t) "b\0c", 1, 3, 0}};
    int32_t id = send_fields(fields, NGHTTP2_FLAG_END_STREAM);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->error, NGHTTP2_PROTOCOL_ERROR);
}

Test(http2_rules, pseudo_fields)
{
    static const struct case_row cases[] = {
        {"8.3", "in another order", 200, {PATH, AUTHORITY, SCHEME, METHOD}},
        {"8.3", "behind another field", RESET, {METHOD, SCHEME, AUTHORITY, RAW("a", "b"), PATH}},
        {"8.3", "one that nobody knows", RESET, {START, RAW(":magic", "1")}},
        {"8.3", "one of answers", RESET, {START, RAW(":status", "200")}},
        {"8.3.1", "no :method", RESET, {SCHEME, AUTHORITY, PATH}},
        {"8.3.1", "no :scheme", RESET, {METHOD, AUTHORITY, PATH}},
        {"8.3.1", "no :path", RESET, {METHOD, SCHEME, AUTHORITY}},
        {"8.3.1", "empty :path", RESET, {METHOD, SCHEME, AUTHORITY, RAW(":path", "")}},
        {"8.3.1", "two :path", RESET, {START, RAW(":path", "/nothing")}},
        {"8.3.1", "two :method", RESET, {START, RAW(":method", "GET")}},
        {"8.3.1", "two :authority", RESET, {START, RAW(":authority", "localhost")}},
        {"8.3.1", ":path without a slash", RESET, {METHOD, SCHEME, AUTHORITY, RAW(":path", "hello")}},
        {"8.3.1", ":path *, and not OPTIONS", RESET, {METHOD, SCHEME, AUTHORITY, RAW(":path", "*")}},
        {"8.3.1", "OPTIONS *", 405, {RAW(":method", "OPTIONS"), SCHEME, AUTHORITY, RAW(":path", "*")}},
        {"8.3.1", "no authority and no host", RESET, {METHOD, SCHEME, PATH}},
        {"8.3.1", "host alone", 200, {METHOD, SCHEME, PATH, RAW("host", "localhost")}},
        {"8.3.1", "user information", 400, {METHOD, SCHEME, RAW(":authority", "a@localhost"), PATH}},
        {"8.3.1", "another host", 400, {START, RAW("host", "elsewhere")}},
        {"8.3.1", "the same host", 200, {START, RAW("host", "localhost")}},
    };
    CHECK_CASES(cases);
}

/* 8.5; and RFC 8441 is not spoken here. */
Test(http2_rules, connect)
{
    static const struct case_row cases[] = {
        {"8.5", "CONNECT", 405, {RAW(":method", "CONNECT"), RAW(":authority", "localhost:80")}},
        {"8.5", "with :path", RESET, {RAW(":method", "CONNECT"), SCHEME, AUTHORITY, PATH}},
        {"8.5", "without :authority", RESET, {RAW(":method", "CONNECT")}},
        {"RFC 8441",
         "extended",
         RESET,
         {RAW(":method", "CONNECT"), SCHEME, AUTHORITY, PATH, RAW(":protocol", "websocket")}},
    };
    CHECK_CASES(cases);
}

Test(http2_rules, lengths_without_a_body)
{
    static const struct case_row cases[] = {
        {"8.1.1", "0", 200, {START, RAW("content-length", "0")}},
        {"8.1.1", "5, and nothing comes", RESET, {START, RAW("content-length", "5")}},
        {"8.1.1", "two", RESET, {START, RAW("content-length", "0"), RAW("content-length", "0")}},
        {"8.1.1", "a list", RESET, {START, RAW("content-length", "0, 0")}},
        {"8.1.1", "negative", RESET, {START, RAW("content-length", "-1")}},
        {"8.1.1", "hexadecimal", RESET, {START, RAW("content-length", "0x0")}},
        {"8.1.1", "beyond all numbers", RESET, {START, RAW("content-length", "18446744073709551616")}},
    };
    CHECK_CASES(cases);
}

/* ---- Bodies and trailers ---------------------------------------------------------------------------------------- */

struct body {
    size_t left;
    const nghttp2_nv *trailers; /* or NULL */
    size_t num_trailers;
};

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
    (void)context;
    struct body *body = source->ptr;
    size_t len = body->left < cap ? body->left : cap;
    memset(out, 'b', len);
    body->left -= len;
    if (body->left > 0) return (ssize_t)len;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (body->trailers != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        cr_assert_eq(nghttp2_submit_trailer(session, id, body->trailers, body->num_trailers), 0);
    }
    return (ssize_t)len;
}

static int32_t put(const char *name, const char *length, struct body *body)
{
    char path[64];
    snprintf(path, sizeof(path), "/upload/%s", name);
    nghttp2_data_provider provider = {.source.ptr = body, .read_callback = read_body};
    nghttp2_nv fields[] = {NV("content-length", length)};
    return submit("PUT", path, fields, length[0] != '\0', &provider);
}

Test(http2_rules, lengths_of_bodies)
{
    static const struct {
        const char *length;
        size_t sent;
        bool good;
    } rows[] = {{"10", 10, true}, {"10", 9, false}, {"10", 11, false}, {"0", 1, false}, {"", 10, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        restart(WINDOW_AUTO);
        struct body body = {.left = rows[i].sent};
        int32_t id = put("body", rows[i].length, &body);
        if (rows[i].good)
            exchange_commit();
        else
            cr_assert_eq(exchange_all(), ERR_OK);
        cr_expect_eq(reply_of(id)->status, rows[i].good ? (i == 0 ? 201 : 204) : 0, "%zu", i);
        cr_expect_eq(reply_of(id)->error, rows[i].good ? NGHTTP2_NO_ERROR : NGHTTP2_PROTOCOL_ERROR, "%zu", i);
        cr_expect_eq(rig_num_files(rig.uploads_dir), 1, "nothing is left of what was not whole");
    }
}

Test(http2_rules, trailers)
{
    static const struct {
        nghttp2_nv trailer;
        bool good;
    } rows[] = {
        {RAW("checksum", "1"), true},  {RAW("content-length", "7"), false}, /* nghttp2 takes it for one of the body */
        {RAW("Checksum", "1"), false}, {RAW(":path", "/other"), false},     {RAW("connection", "close"), false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        restart(WINDOW_AUTO);
        struct body body = {.left = 10, .trailers = &rows[i].trailer, .num_trailers = 1};
        int32_t id = put("trailers", "10", &body);
        if (rows[i].good)
            exchange_commit();
        else
            cr_assert_eq(exchange_all(), ERR_OK);
        cr_expect_eq(reply_of(id)->status, rows[i].good ? 201 : 0, "%zu: %u", i, reply_of(id)->status);
        cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
    }
}

/* ---- Windows and endings ---------------------------------------------------------------------------------------- */

Test(http2_rules, gives_a_body_through_the_smallest_window)
{
    enum { LEN = 300 };
    struct text content = {0};
    for (int i = 0; i < LEN / 10; i++) text_print(&content, "%09d\n", i);
    rig_write_file(rig.root_dir, "small.txt", content.data);
    restart(WINDOW_MANUAL);
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1};
    cr_assert_eq(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, &window, 1), 0);
    cr_assert_eq(exchange_all(), ERR_OK);
    int32_t id = submit("GET", "/small.txt", NULL, 0, NULL);
    for (int i = 0; i < 2 * LEN && !reply_of(id)->ended; i++) {
        cr_assert_eq(exchange_all(), ERR_OK);
        cr_expect_leq(reply_of(id)->body_len, (size_t)i + 1);
        cr_assert_eq(nghttp2_submit_window_update(client->session, NGHTTP2_FLAG_NONE, id, 1), 0);
    }
    cr_expect_eq(reply_of(id)->body_len, LEN);
    cr_expect_str_eq(reply_of(id)->body, content.data);
    text_free(&content);
}

Test(http2_rules, waits_for_a_window_of_nothing_but_not_for_ever)
{
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    cr_assert_eq(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, &window, 1), 0);
    cr_assert_eq(exchange_all(), ERR_OK);
    int32_t id = submit("GET", "/hello", NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 200);
    cr_expect_eq(reply_of(id)->body_len, 0);
    cr_expect_neq(rig.session->ops->deadline(rig.session), 0);
    rig.session->ops->expire(rig.session);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect(reply_of(id)->closed);
}

/* 6.8: what comes behind a GOAWAY is not processed, and the client may ask again elsewhere. */
Test(http2_rules, takes_nothing_new_once_it_drains)
{
    struct body body = {.left = 10};
    nghttp2_nv fields[] = {NV(":method", "PUT"), NV(":scheme", "https"), NV(":authority", "a"),
                           NV(":path", "/upload/x")};
    int32_t begun = nghttp2_submit_headers(client->session, NGHTTP2_FLAG_NONE, -1, NULL, fields, 4, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    rig.session->ops->drain(rig.session);
    cr_assert_eq(exchange_all(), ERR_OK);
    end_notice();
    int32_t late = submit("GET", "/hello", NULL, 0, NULL);
    cr_assert_eq(send_all(), ERR_OK);
    exchange_all();
    cr_expect(client->goaway);
    cr_expect_eq(client->goaway_last, begun);
    cr_expect_eq(reply_of(late)->status, 0);
    cr_expect_not(rig_wants_close(&rig), "what is begun is finished");
    nghttp2_data_provider provider = {.source.ptr = &body, .read_callback = read_body};
    cr_assert_eq(nghttp2_submit_data(client->session, NGHTTP2_FLAG_END_STREAM, begun, &provider), 0);
    exchange_commit();
    cr_expect_eq(reply_of(begun)->status, 201);
    cr_expect(rig_wants_close(&rig));
    cr_expect_eq(http_site_counters(rig.site).requests, 1, "%llu",
                 (unsigned long long)http_site_counters(rig.site).requests);
}
