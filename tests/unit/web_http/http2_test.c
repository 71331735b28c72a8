/* HTTP/2 against a real client session in memory. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http2_client.h"

TestSuite(http2, .init = http2_start, .fini = http2_stop);

Test(http2, answers_requests)
{
    rig_write_file(rig.root_dir, "index.html", "top");
    static const struct {
        const char *method;
        const char *path;
        unsigned status;
        const char *type;
        const char *body;
    } rows[] = {
        {"GET", "/hello", 200, "text/plain; charset=utf-8", "Hello World\n"},
        {"GET", "/hello?x", 200, "text/plain; charset=utf-8", "Hello World\n"},
        {"HEAD", "/hello", 200, "text/plain; charset=utf-8", ""},
        {"GET", "/", 200, "text/html; charset=utf-8", "top"},
        {"GET", "/nothing", 404, "text/plain; charset=utf-8", "404 Not Found\n"},
        {"POST", "/hello", 405, "text/plain; charset=utf-8", "405 Method Not Allowed\n"},
        {"FROB", "/hello", 501, "text/plain; charset=utf-8", "501 Not Implemented\n"},
        {"GET", "/../x", 400, "text/plain; charset=utf-8", "400 Bad Request\n"},
        {"GET", "/%2e%2e/x", 400, "text/plain; charset=utf-8", "400 Bad Request\n"},
        {"GET", "/a%00", 400, "text/plain; charset=utf-8", "400 Bad Request\n"},
        {"GET", "/.hidden", 404, "text/plain; charset=utf-8", "404 Not Found\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct reply *reply = ask(rows[i].method, rows[i].path);
        cr_expect_eq(reply->status, rows[i].status, "%s: %u", rows[i].path, reply->status);
        cr_expect_str_eq(reply->type, rows[i].type, "%s", rows[i].path);
        size_t len = strlen(rows[i].body);
        cr_expect_eq(strncmp(reply->body, rows[i].body, len), 0, "%s: %s", rows[i].path, reply->body);
        /* An error goes on with the request's name. */
        cr_expect_eq(reply->body_len, reply->status < 400 ? len : len + strlen("Request \n") + 24, "%s", rows[i].path);
        cr_expect(reply->closed && reply->error == NGHTTP2_NO_ERROR, "%s", rows[i].path);
    }
    cr_expect_str_eq(reply_of(11)->allow, "GET, HEAD");
    cr_expect_eq(rig.session->ops->wants(rig.session), (unsigned)SESSION_READ, "one bad request ends no connection");
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "method=GET path='/hello' status=200 bytes=12 protocol=HTTP/2"), "%s", log);
    cr_expect_not_null(strstr(log, "request refused peer='127.0.0.1:4000' status=405"), "%s", log);
    free(log);
}

Test(http2, takes_bytes_one_at_a_time)
{
    int32_t first = submit("GET", "/hello", NULL, 0, NULL);
    int32_t second = submit("GET", "/nothing", NULL, 0, NULL);
    rig.out_step = 1;
    cr_assert_eq(exchange_pieces(1), ERR_OK);
    cr_expect_eq(reply_of(first)->status, 200);
    cr_expect_eq(reply_of(second)->status, 404);
}

Test(http2, serves_many_streams_at_once)
{
    for (int i = 0; i < 500; i++) submit("GET", "/hello", NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    for (int i = 0; i < 500; i++) cr_expect_eq(reply_of(2 * i + 1)->status, 200, "%d", i);
    cr_expect_eq(http_site_counters(rig.site).requests, 500);
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap, uint32_t *flags,
                           nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)id;
    (void)context;
    size_t *left = source->ptr;
    size_t len = *left < cap ? *left : cap;
    memset(out, 'u', len);
    *left -= len;
    if (*left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

static int32_t put(const char *path, size_t *left, const char *length)
{
    nghttp2_data_provider body = {.source.ptr = left, .read_callback = read_upload};
    nghttp2_nv fields[] = {NV("content-length", length)};
    return submit("PUT", path, fields, length[0] != '\0', &body);
}

/* Before the client has seen the settings it may open more; those are refused, not served. */
Test(http2, refuses_more_streams_than_it_said)
{
    enum { EXTRA = 5 };
    nghttp2_nv fields[] = {NV(":method", "PUT"), NV(":scheme", "https"), NV(":authority", "a"),
                           NV(":path", "/upload/x")};
    for (unsigned i = 0; i < LIMIT_H2_STREAMS + EXTRA; i++)
        cr_assert_gt(nghttp2_submit_headers(client->session, NGHTTP2_FLAG_NONE, -1, NULL, fields, 4, NULL), 0);
    cr_assert_eq(send_all(), ERR_OK);
    cr_assert_eq(exchange_all(), ERR_OK);
    unsigned refused = 0;
    for (int32_t id = 1; id < 2 * (int32_t)(LIMIT_H2_STREAMS + EXTRA); id += 2)
        refused += reply_of(id)->closed && reply_of(id)->error == NGHTTP2_REFUSED_STREAM;
    cr_expect_eq(refused, EXTRA);
    cr_expect_eq(rig_num_files(rig.uploads_dir), LIMIT_H2_STREAMS);
}

Test(http2, takes_an_upload_under_flow_control)
{
    size_t left = MAX_UPLOAD; /* several windows */
    int32_t id = put("/upload/big", &left, "1000000");
    exchange_commit();
    cr_expect_eq(left, 0);
    cr_expect_eq(reply_of(id)->status, 201);
    char *file = rig_file(rig.uploads_dir, "big");
    cr_assert_not_null(file);
    cr_expect_eq(strlen(file), MAX_UPLOAD);
    free(file);
    left = 10;
    id = put("/upload/big", &left, "");
    exchange_commit();
    cr_expect_eq(reply_of(id)->status, 204);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
}

Test(http2, takes_many_uploads_on_one_connection)
{
    size_t left = MAX_UPLOAD;
    for (int i = 0; i < 20; i++) {
        left = MAX_UPLOAD;
        put("/upload/large", &left, "1000000");
        exchange_commit();
    }
    cr_expect_not(client->goaway);
}

Test(http2, caps_an_upload)
{
    size_t left = MAX_UPLOAD + 1;
    int32_t id = put("/upload/big", &left, "1000001");
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 413);
    cr_expect_gt(left, 0, "it is refused by its length");
    left = 2 * MAX_UPLOAD;
    id = put("/upload/big", &left, "");
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 413);
    cr_expect_eq(reply_of(id)->error, NGHTTP2_NO_ERROR, "the rest is called off without blame");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
    cr_expect_eq(ask("GET", "/hello")->status, 200);
}

Test(http2, leaves_nothing_of_a_reset_upload)
{
    size_t left = 100;
    nghttp2_data_provider body = {.source.ptr = &left, .read_callback = read_upload};
    nghttp2_nv fields[] = {NV("content-length", "200")};
    int32_t id = submit("PUT", "/upload/x", fields, 1, &body);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_neq(reply_of(id)->error, NGHTTP2_NO_ERROR, "shorter than it said");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 0);
}

Test(http2, frees_streams_that_wait_for_a_commit)
{
    size_t left = 3;
    put("/upload/orphan", &left, "3");
    cr_assert_eq(send_all(), ERR_OK);
    cr_expect_eq(rig.session->ops->deadline(rig.session), 0, "it waits for the disk, not for the peer");
    rig_end_session(&rig);
    struct pollfd done = {.fd = http_site_fd(rig.site), .events = POLLIN};
    cr_assert_eq(poll(&done, 1, 10000), 1);
    http_site_complete(rig.site);
    cr_expect_eq(rig.wakes, 0);
}

Test(http2, asks_for_the_body_when_expected_to)
{
    size_t left = 3;
    nghttp2_data_provider body = {.source.ptr = &left, .read_callback = read_upload};
    nghttp2_nv fields[] = {NV("expect", "100-continue")};
    int32_t id = submit("PUT", "/upload/e", fields, 1, &body);
    exchange_commit();
    cr_expect_eq(reply_of(id)->interim, 100);
    cr_expect_eq(reply_of(id)->status, 201);
}

Test(http2, limits_the_header_list)
{
    /* RFC 9113, 6.5.2: 32 bytes more than name and value for each field. */
    size_t base = 0;
    static const char *const pairs[] = {"host", "localhost:9000"};
    base += strlen(pairs[0]) + strlen(pairs[1]) + 32;
    for (size_t over = 0; over <= 1; over++) {
        struct text value = {0};
        size_t left = LIMIT_HTTP_HEADER - base - 2 * (1 + 32) + over;
        text_fill(&value, 'v', left / 2);
        struct text other = {0};
        text_fill(&other, 'v', left - left / 2);
        nghttp2_nv fields[] = {NV("x", value.data), NV("y", other.data)};
        int32_t id = submit("GET", "/hello", fields, 2, NULL);
        cr_assert_eq(exchange_all(), ERR_OK);
        cr_expect_eq(reply_of(id)->status, over ? 431 : 200, "%zu over: %u", over, reply_of(id)->status);
        text_free(&value);
        text_free(&other);
    }
}

Test(http2, limits_the_number_of_fields)
{
    for (size_t over = 0; over <= 1; over++) {
        nghttp2_nv fields[LIMIT_HTTP_FIELDS];
        size_t count = LIMIT_HTTP_FIELDS - 1 + over; /* :authority counts as Host */
        for (size_t i = 0; i < count; i++) fields[i] = (nghttp2_nv)NV("x", "y");
        int32_t id = submit("GET", "/hello", fields, count, NULL);
        cr_assert_eq(exchange_all(), ERR_OK);
        cr_expect_eq(reply_of(id)->status, over ? 431 : 200, "%u", reply_of(id)->status);
    }
}

Test(http2, limits_the_target)
{
    for (size_t over = 0; over <= 1; over++) {
        struct text path = {0};
        text_print(&path, "/");
        text_fill(&path, 'a', LIMIT_HTTP_TARGET - 1 + over);
        cr_expect_eq(ask("GET", path.data)->status, over ? 414 : 404);
        text_free(&path);
    }
}

Test(http2, limits_other_bodies)
{
    size_t left = LIMIT_HTTP_BODY;
    nghttp2_data_provider body = {.source.ptr = &left, .read_callback = read_upload};
    int32_t id = submit("GET", "/hello", NULL, 0, &body);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 200);
    left = LIMIT_HTTP_BODY + 1;
    id = submit("GET", "/hello", NULL, 0, &body);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 413);
}

Test(http2, wants_one_host)
{
    nghttp2_nv same[] = {NV("host", "localhost:9000")};
    nghttp2_nv other[] = {NV("host", "elsewhere")};
    int32_t id = submit("GET", "/hello", same, 1, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 200);
    id = submit("GET", "/hello", other, 1, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 400);
}

Test(http2, resets_malformed_requests)
{
    nghttp2_nv upper[] = {NV("transfer-encoding", "chunked")};
    int32_t id = submit("GET", "/hello", upper, 1, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 0);
    cr_expect_eq(reply_of(id)->error, NGHTTP2_PROTOCOL_ERROR);
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "request refused peer='127.0.0.1:4000' status=400"), "%s", log);
    free(log);
    cr_expect_eq(ask("GET", "/hello")->status, 200);
}

Test(http2, gives_only_what_the_windows_allow)
{
    struct text content = {0};
    for (int i = 0; i < 100000; i++) text_print(&content, "%07d\n", i);
    rig_write_file(rig.root_dir, "large.bin", content.data);
    restart(WINDOW_MANUAL);
    int32_t id = submit("GET", "/large.bin", NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->body_len, 65535, "the window that every client has");
    cr_expect_eq(rig.session->ops->wants(rig.session), (unsigned)SESSION_READ, "nothing can be written");
    cr_expect_neq(rig.session->ops->deadline(rig.session), 0, "and that not for ever");
    for (int i = 0; i < 100 && !reply_of(id)->ended; i++) {
        cr_assert_eq(nghttp2_session_consume(client->session, id, 65535), 0);
        cr_assert_eq(exchange_all(), ERR_OK);
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < content.len; i++) hash = hash * 31 + (uint8_t)content.data[i];
    cr_expect_eq(reply_of(id)->body_len, content.len);
    cr_expect_eq(reply_of(id)->body_hash, hash);
    text_free(&content);
}

Test(http2, drains)
{
    struct text content = {0};
    text_fill(&content, 'x', 100000);
    rig_write_file(rig.root_dir, "large.bin", content.data);
    restart(WINDOW_MANUAL);
    int32_t begun = submit("GET", "/large.bin", NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    rig.session->ops->drain(rig.session);
    cr_assert_eq(send_all(), ERR_OK);
    int32_t under_way = submit("GET", "/hello", NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect(client->goaway);
    cr_expect_eq(client->goaway_error, NGHTTP2_NO_ERROR);
    cr_expect_eq(client->goaway_last, INT32_MAX, "the first names none");
    cr_expect_eq(reply_of(under_way)->status, 200);
    end_notice();
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(client->goaway_last, under_way);
    cr_expect_not(rig_wants_close(&rig), "what is begun is finished");
    cr_assert_eq(nghttp2_session_consume(client->session, begun, 65535), 0);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect(reply_of(begun)->ended);
    cr_expect_eq(reply_of(begun)->body_len, content.len);
    cr_expect(rig_wants_close(&rig));
    text_free(&content);
}

/* A GOAWAY that goes before the answers which are ready, but not into the middle of a frame. */
Test(http2, says_farewell_between_two_frames)
{
    uint8_t farewell[SESSION_FAREWELL], out[5];
    cr_assert_eq(ask("GET", "/hello")->status, 200);
    int32_t id = submit("GET", "/hello", NULL, 0, NULL);
    cr_assert_eq(send_all(), ERR_OK);
    cr_assert_neq(rig.session->ops->wants(rig.session) & SESSION_WRITE, 0, "an answer is ready");
    cr_assert_eq(rig.session->ops->farewell(rig.session, farewell), sizeof farewell);
    cr_assert_eq(nghttp2_session_mem_recv(client->session, farewell, sizeof farewell), (ssize_t)sizeof farewell);
    cr_expect(client->goaway);
    cr_expect_eq(client->goaway_error, NGHTTP2_NO_ERROR);
    cr_expect_eq(client->goaway_last, id);
    cr_expect_eq(reply_of(id)->status, 0);
    cr_assert_eq(rig.session->ops->produce(rig.session, out, sizeof out), sizeof out);
    cr_expect_eq(rig.session->ops->farewell(rig.session, farewell), 0);
}

Test(http2, closes_an_idle_session_when_it_drains)
{
    cr_assert_eq(ask("GET", "/hello")->status, 200);
    rig.session->ops->drain(rig.session);
    end_notice();
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect(client->goaway);
    cr_expect(rig_wants_close(&rig));
}

/* Answers that nobody fetches pile up; at some point the session no longer reads. */
Test(http2, stops_reading_when_nobody_reads)
{
    size_t sent = 0;
    for (; sent < 2000 && (rig.session->ops->wants(rig.session) & SESSION_READ) != 0; sent++) {
        submit("GET", "/hello", NULL, 0, NULL);
        if (send_all() != ERR_OK) break;
    }
    cr_expect_lt(sent, 2000, "it takes requests without end");
}

Test(http2, refuses_what_is_not_http2)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    restart(WINDOW_AUTO);
    cr_expect_eq(rig.session->ops->receive(rig.session, (const uint8_t *)request, sizeof(request) - 1), ERR_MALFORMED);
    cr_expect(rig_wants_close(&rig));
    char *log = rig_log(&rig);
    cr_expect_not_null(strstr(log, "connection refused peer='127.0.0.1:4000'"), "%s", log);
    free(log);
}

static int32_t begin_upload(const char *path)
{
    nghttp2_nv fields[] = {NV(":method", "PUT"), NV(":scheme", "https"), NV(":authority", "a"), NV(":path", path)};
    int32_t id = nghttp2_submit_headers(client->session, NGHTTP2_FLAG_NONE, -1, NULL, fields, 4, NULL);
    cr_assert_gt(id, 0);
    cr_assert_eq(exchange_all(), ERR_OK);
    return id;
}

Test(http2, gives_up_an_idle_session)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t deadline = rig.session->ops->deadline(rig.session);
    cr_expect(deadline >= now + DEADLINE_IDLE_MS - 2000 && deadline <= now + DEADLINE_IDLE_MS);
    rig.session->ops->expire(rig.session);
    exchange_all();
    cr_expect(client->goaway);
    cr_expect(rig_wants_close(&rig));
    cr_expect_eq(rig.session->ops->deadline(rig.session), 0);
}

/* What else happens on the connection keeps no stream alive. */
Test(http2, gives_up_waiting_for_a_body)
{
    uint64_t now = clock_monotonic_ms();
    int32_t id = begin_upload("/upload/slow");
    uint64_t deadline = rig.session->ops->deadline(rig.session);
    cr_expect(deadline >= now + DEADLINE_BODY_MS - 2000 && deadline <= now + DEADLINE_BODY_MS + 2000);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    cr_expect_eq(ask("GET", "/hello")->status, 200);
    int32_t young = begin_upload("/upload/young");
    cr_expect_eq(rig_num_files(rig.uploads_dir), 2);
    cr_expect_eq(rig.session->ops->deadline(rig.session), deadline);
    rig.session->ops->expire(rig.session);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_eq(reply_of(id)->status, 408);
    cr_expect(reply_of(id)->closed && !reply_of(young)->closed);
    cr_expect_gt(rig.session->ops->deadline(rig.session), deadline);
    cr_expect_eq(rig_num_files(rig.uploads_dir), 1);
    cr_expect_eq(ask("GET", "/hello")->status, 200);
}

Test(http2, gives_up_an_answer_that_is_not_taken)
{
    struct text content = {0};
    text_fill(&content, 'x', 100000);
    rig_write_file(rig.root_dir, "large.bin", content.data);
    restart(WINDOW_MANUAL);
    int32_t id = submit("GET", "/large.bin", NULL, 0, NULL);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect_not(reply_of(id)->closed);
    rig.session->ops->expire(rig.session);
    cr_assert_eq(exchange_all(), ERR_OK);
    cr_expect(reply_of(id)->closed);
    cr_expect_eq(reply_of(id)->error, NGHTTP2_CANCEL);
    cr_expect_not(client->goaway);
    text_free(&content);
}

Test(http2, ends_when_the_peer_ends)
{
    cr_assert_eq(ask("GET", "/hello")->status, 200);
    rig.session->ops->receive_end(rig.session);
    cr_expect(rig_wants_close(&rig));
}
