/* What an HTTP/1 session answers, and when. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http1_client.h"
#include "http1_rows.h"

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
    text_fill(&flood, 'x', LIMIT_HTTP_PENDING);
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

static struct http_connection_counts count(void *context)
{
    return *(const struct http_connection_counts *)context;
}

static void expect_body(struct rig *rig, const char *part)
{
    struct answer answer = ask(rig, GET("/api/get"), false);
    cr_expect_not_null(strstr(answer.body, part), "no %s in %s", part, answer.body);
    answer_free(&answer);
}

/* What web does not know, or the client has no business with, is null. */
Test(http1, tells_of_server_handle_and_worker_only_what_is_known)
{
    struct http_connection_counts counts = {3, 7, 2};
    struct certificate_text shown = {.subject = "CN=localhost", .issuer = "CN=Keyward CA", .fingerprint = "ff07"};
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    expect_body(&rig, "\"handle\": null");
    expect_body(&rig, "\"server\": null");
    expect_body(&rig, "\"worker\": null");
    expect_body(&rig, "\"uploads\": null");
    rig.peer.handle = 12;
    rig.peer.shown = &shown;
    http_site_set_counts(rig.site, count, &counts);
    rig_start_http1(&rig);
    expect_body(&rig, "\"handle\": 12");
    expect_body(&rig, "\"subject\": \"CN=localhost\"");
    expect_body(&rig,
                "\"connections\": 3,\n    \"handshakes\": 7,\n    \"handshakes_failed\": 2,\n    \"requests\": 6");
    shown.fingerprint[0] = '\0';
    expect_body(&rig, "\"server\": null");
    rig.peer.certificate.fingerprint[0] = '\0';
    expect_body(&rig, "\"worker\": null");
    expect_body(&rig, "\"client\": null");
    rig_cleanup(&rig);
}

Test(http1, tells_who_may_upload_how_much)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){.uploads = true, .max_upload_bytes = 4096});
    rig_start_http1(&rig);
    expect_body(&rig, "\"max_bytes\": 4096");
    rig.peer.certificate.fingerprint[0] = '\0';
    expect_body(&rig, "\"uploads\": null");
    rig_cleanup(&rig);
}

/* A page that is watched over asks more than twice a second. */
Test(http1, logs_of_what_is_asked_all_the_time_only_what_goes_wrong)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){.root = true});
    rig_start_http1(&rig);
    static const struct {
        const char *request, *body;
        unsigned status;
    } rows[] = {
        {GET("/keyward/alive"), "", 204},
        {GET("/keyward/back/1840"), "", 204},
        {"POST /keyward/alive HTTP/1.1\r\nHost: localhost\r\n\r\n", "405", 405},
        {GET("/keyward/watch.js"), "/keyward/alive", 200},
        {GET("/keyward/watch.css"), "#keyward-cover", 200},
        {GET("/keyward/other"), "404", 404},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer = ask(&rig, rows[i].request, false);
        cr_expect_eq(answer.status, rows[i].status, "%s: %u", rows[i].request, answer.status);
        cr_expect_not_null(strstr(answer.body, rows[i].body), "%s: %s", rows[i].request, answer.body);
        answer_free(&answer);
    }
    char *log = rig_log(&rig);
    cr_expect_null(strstr(log, "GET path='/keyward/alive'"), "%s", log);
    cr_expect_not_null(strstr(log, "POST path='/keyward/alive' status=405"), "%s", log);
    cr_expect_not_null(strstr(log, "path='/keyward/back/1840' status=204"), "%s", log);
    free(log);
    rig_cleanup(&rig);
}

Test(http1, says_so_where_nobody_is_known_and_nothing_private)
{
    struct rig rig;
    rig_init(&rig, &(struct rig_config){0});
    rig.peer.certificate = (struct certificate_text){0};
    rig_start_http1(&rig);
    struct answer answer = ask(&rig, GET("/api/get"), false);
    cr_expect_not_null(strstr(answer.body, "\"client\": null"), "%s", answer.body);
    cr_expect_not_null(strstr(answer.body, "\"protocol\": \"TLSv1.3\""), "%s", answer.body);
    answer_free(&answer);
    rig.peer.protocol = rig.peer.cipher = rig.peer.group = rig.peer.alpn = "";
    rig_start_http1(&rig);
    answer = ask(&rig, GET("/api/get"), false);
    cr_expect_not_null(strstr(answer.body, "\"tls\": null"), "%s", answer.body);
    answer_free(&answer);
    rig_start_http1(&rig);
    answer = ask(&rig, "GET /hello HTTP/1.1\r\nHost: kiosk.example\r\n\r\n", false);
    cr_expect_null(answer_field(&answer, "Strict-Transport-Security"), "it is for https alone");
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
    cr_expect_not(rig_wants_close(&rig), "a request may be on its way");
    cr_expect_leq(rig.session->ops->deadline(rig.session), clock_monotonic_ms() + DEADLINE_DRAIN_MS);
    rig.session->ops->expire(rig.session);
    cr_expect(rig_wants_close(&rig), "an idle session has nothing to finish");
    struct text out = {0};
    rig_start_http1(&rig);
    rig.session->ops->drain(rig.session);
    rig_talk(&rig, &out, GET("/hello"), strlen(GET("/hello")), 1000);
    cr_expect(out.len > 0 && strstr(out.data, "Connection: close\r\n") != NULL);
    cr_expect(rig_wants_close(&rig));
    text_free(&out);
    out = (struct text){0};
    rig_start_http1(&rig);
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

/* Many connections wait for their next request at any time. */
Test(http1, keeps_no_memory_for_what_has_been_answered)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    struct rig rig;
    struct text many = {0}, out = {0};
    rig_init(&rig, &(struct rig_config){0});
    rig_start_http1(&rig);
    for (size_t i = 0; i < 16384 / sizeof(request); i++) text_print(&many, "%s", request);
    rig_talk(&rig, &out, request, sizeof(request) - 1, sizeof(request));
    text_free(&out);
    size_t before = mallinfo2().uordblks;
    rig_talk(&rig, &out, many.data, many.len, many.len);
    text_free(&out);
    cr_expect_leq(mallinfo2().uordblks, before + 1024);
    text_free(&many);
    rig_cleanup(&rig);
}
