/* Relays and the pool of connections, with one end of a socketpair as the application. */
#include "web/proxy/relay.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <http_parser.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { SOON_MS = 60, PATIENCE_MS = 10000 };

static struct ev_loop *loop;
static struct proxy *proxy;
static struct {
    uint64_t ids[LIMIT_PROXY_CONNECTIONS + 2];
    size_t num;
} asked;
static int changes;

static void connect_asked(void *context, uint32_t route, uint64_t id)
{
    (void)context;
    (void)route;
    cr_assert_lt(asked.num, sizeof(asked.ids) / sizeof(asked.ids[0]));
    asked.ids[asked.num++] = id;
}

static void on_change(void *context)
{
    (void)context;
    changes++;
}

static void make(struct proxy_deadlines deadlines)
{
    static const struct proxy_host host = {.connect = connect_asked};
    struct proxy_config config = {
        .routes = {{.prefix = "/app", .upstream = "unix:/app"},
                   {.prefix = "/app/deep/", .upstream = "unix:/deep"},
                   {.prefix = "/", .upstream = "unix:/all"}},
        .num_routes = 3,
        .deadlines = deadlines,
    };
    memset(&asked, 0, sizeof(asked));
    changes = 0;
    loop = ev_loop_new(EVFLAG_AUTO);
    proxy = proxy_new(loop, &config, &host);
    cr_assert_not_null(proxy);
}

static void set_up(void)
{
    make(proxy_deadlines_default());
}

static void tear_down(void)
{
    proxy_free(proxy);
    ev_loop_destroy(loop);
}

TestSuite(relay, .init = set_up, .fini = tear_down);

static struct relay *begin_as(int method, bool has_body, bool expects)
{
    static struct session_peer peer = {.address = "127.0.0.1:1"};
    static char path[] = "/app/x";
    struct relay *relay = NULL;
    struct request request;
    request_init(&request, VERSION_HTTP11);
    request.method = method;
    request.has_body = has_body;
    request.expect_continue = expects;
    request.target.raw = path;
    const struct relay_request how = {.request = &request, .peer = &peer, .request_id = "id", .changed = on_change};
    cr_assert_eq(relay_begin(&relay, proxy, 0, &how), ERR_OK);
    return relay;
}

static struct relay *begin(int method, bool has_body)
{
    return begin_as(method, has_body, false);
}

/* Answers the request for a connection; returns the application's end. */
static int connect_one(size_t which)
{
    int ends[2];
    cr_assert_lt(which, asked.num);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    proxy_connected(proxy, asked.ids[which], ends[0]);
    return ends[1];
}

static void turn(void)
{
    for (int i = 0; i < 5; i++) ev_run(loop, EVRUN_NOWAIT);
}

/* Runs the loop until the relay has something to say. */
static void wait_for(struct relay *relay)
{
    uint64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (!relay_has_content(relay) && clock_monotonic_ms() < until) ev_run(loop, EVRUN_ONCE);
    cr_assert(relay_has_content(relay));
}

static const char *heard(int fd)
{
    static char text[8192];
    ssize_t len = read(fd, text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void expect_answer(struct relay *relay)
{
    uint8_t out[16];
    size_t len;
    wait_for(relay);
    cr_assert_not_null(relay_answer(relay));
    cr_expect_eq(relay_answer(relay)->status, 200);
    cr_assert_eq(relay_read(relay, out, &len, sizeof(out)), ERR_OK);
    cr_expect_eq(len, 2);
    cr_assert_eq(relay_read(relay, out, &len, sizeof(out)), ERR_OK);
    cr_expect_eq(len, 0);
    relay_free(relay);
}

Test(relay, finds_the_longest_prefix)
{
    cr_expect_eq(proxy_find(proxy, "/"), 2);
    cr_expect_eq(proxy_find(proxy, "/app"), 0);
    cr_expect_eq(proxy_find(proxy, "/app/"), 0);
    cr_expect_eq(proxy_find(proxy, "/app/deep"), 0);
    cr_expect_eq(proxy_find(proxy, "/app/deep/"), 1);
    cr_expect_eq(proxy_find(proxy, "/apple"), 2);
    cr_expect_eq(proxy_find(proxy, ""), -1);
}

Test(relay, asks_and_answers_and_keeps_the_connection)
{
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    cr_expect_null(relay_answer(relay));
    int app = connect_one(0);
    const char *request = heard(app);
    cr_expect_eq(strncmp(request, "GET /app/x HTTP/1.1\r\nHost: localhost\r\n", 38), 0, "%s", request);
    cr_expect(strstr(request, "\r\n\r\n") != NULL && strstr(request, "Content-Length") == NULL);
    say(app, ANSWER);
    expect_answer(relay);
    cr_expect_eq(proxy_num_idle(proxy), 1);
    struct relay *second = begin(HTTP_GET, false);
    relay_body_end(second);
    cr_expect_eq(asked.num, 1);
    cr_expect(heard(app)[0] == 'G');
    say(app, ANSWER);
    expect_answer(second);
    close(app);
    turn();
    cr_expect_eq(proxy_num_idle(proxy), 0, "a connection that has ended is not kept");
}

Test(relay, sends_a_body_of_unknown_length_in_chunks)
{
    struct relay *relay = begin(HTTP_POST, true);
    int app = connect_one(0);
    relay_body(relay, (struct bytes){(const uint8_t *)"0123456789abcdef", 16});
    relay_body_end(relay);
    const char *request = heard(app);
    cr_expect_not_null(strstr(request, "Transfer-Encoding: chunked\r\n"), "%s", request);
    cr_expect_not_null(strstr(request, "\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"), "%s", request);
    say(app, ANSWER);
    expect_answer(relay);
    close(app);
}

/* Somebody else's answer, as far as the next one who asks is concerned. */
Test(relay, throws_away_a_connection_that_says_too_much)
{
    static const char *const said[] = {ANSWER "H", ANSWER ANSWER};
    for (size_t i = 0; i < 2; i++) {
        struct relay *relay = begin(HTTP_GET, false);
        relay_body_end(relay);
        int app = connect_one(i);
        say(app, said[i]);
        expect_answer(relay);
        cr_expect_eq(proxy_num_idle(proxy), 0);
        close(app);
    }
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(2);
    say(app, ANSWER);
    expect_answer(relay);
    say(app, ANSWER);
    struct relay *next = begin(HTTP_GET, false); /* before the loop has seen it */
    cr_expect_eq(asked.num, 4);
    cr_expect_null(relay_answer(next));
    relay_free(next);
    close(app);
}

/* After the request has been sent on a kept connection, it ends without a byte. */
static struct relay *lose_kept_connection(int method, bool has_body)
{
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    say(app, ANSWER);
    expect_answer(relay);
    relay = begin(method, has_body);
    relay_body_end(relay);
    cr_assert_eq(asked.num, 1);
    (void)heard(app);
    (void)heard(app);
    close(app);
    turn();
    return relay;
}

Test(relay, asks_again_where_nothing_is_lost)
{
    struct relay *relay = lose_kept_connection(HTTP_GET, false);
    cr_expect_eq(relay_fault(relay).status, 0);
    cr_assert_eq(asked.num, 2);
    int app = connect_one(1);
    cr_expect(strncmp(heard(app), "GET /app/x", 10) == 0);
    say(app, ANSWER);
    expect_answer(relay);
    close(app);
}

Test(relay, asks_again_only_once)
{
    struct relay *relay = lose_kept_connection(HTTP_GET, false);
    int app = connect_one(1);
    (void)heard(app);
    close(app);
    wait_for(relay);
    cr_expect_eq(relay_fault(relay).status, 502);
    cr_expect_eq(asked.num, 2);
    relay_free(relay);
}

/* So many wait that this one cannot. */
Test(relay, does_not_ask_again_in_a_crowd)
{
    struct relay *crowd[LIMIT_PROXY_WAITING], *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    say(app, ANSWER);
    expect_answer(relay);
    relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    for (size_t i = 0; i < LIMIT_PROXY_WAITING; i++) crowd[i] = begin(HTTP_GET, false);
    (void)heard(app);
    (void)heard(app);
    close(app);
    wait_for(relay);
    cr_expect_eq(relay_fault(relay).status, 502);
    relay_free(relay);
    for (size_t i = 0; i < LIMIT_PROXY_WAITING; i++) relay_free(crowd[i]);
}

Test(relay, does_not_ask_twice_what_may_be_done_twice)
{
    struct relay *relay = lose_kept_connection(HTTP_POST, true);
    wait_for(relay);
    cr_expect_eq(relay_fault(relay).status, 502);
    cr_expect_eq(asked.num, 1);
    relay_free(relay);
}

Test(relay, does_not_ask_twice_after_a_byte_of_an_answer)
{
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    say(app, ANSWER);
    expect_answer(relay);
    relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    (void)heard(app);
    say(app, "H");
    close(app);
    wait_for(relay);
    cr_expect_eq(relay_fault(relay).status, 502);
    relay_free(relay);
}

Test(relay, says_when_nobody_can_be_reached)
{
    struct relay *relay = begin(HTTP_GET, false);
    proxy_not_connected(proxy, asked.ids[0], "no");
    cr_expect_eq(changes, 1);
    cr_expect_eq(relay_fault(relay).status, 502);
    relay_free(relay);
}

Test(relay, asks_for_so_many_connections_at_a_time)
{
    static struct relay *relays[LIMIT_PROXY_CONNECTING + 1];
    for (size_t i = 0; i <= LIMIT_PROXY_CONNECTING; i++) relays[i] = begin(HTTP_GET, false);
    cr_expect_eq(asked.num, LIMIT_PROXY_CONNECTING);
    int app = connect_one(0);
    cr_expect_eq(asked.num, LIMIT_PROXY_CONNECTING + 1);
    for (size_t i = 0; i <= LIMIT_PROXY_CONNECTING; i++) relay_free(relays[i]);
    close(app);
}

Test(relay, lets_so_many_wait)
{
    static struct relay *relays[LIMIT_PROXY_WAITING];
    static struct session_peer peer = {.address = "127.0.0.1:1"};
    static char path[] = "/app/x";
    struct relay *beyond = NULL;
    struct request request;
    for (size_t i = 0; i < LIMIT_PROXY_WAITING; i++) relays[i] = begin(HTTP_GET, false);
    request_init(&request, VERSION_HTTP11);
    request.method = HTTP_GET;
    request.target.raw = path;
    const struct relay_request how = {.request = &request, .peer = &peer, .request_id = "id", .changed = on_change};
    cr_expect_eq(relay_begin(&beyond, proxy, 0, &how), ERR_TOO_LARGE);
    for (size_t i = 0; i < LIMIT_PROXY_WAITING; i++) relay_free(relays[i]);
}

static struct relay *begin_at(uint32_t route)
{
    static struct session_peer peer = {.address = "127.0.0.1:1"};
    static char path[] = "/";
    struct relay *relay = NULL;
    struct request request;
    request_init(&request, VERSION_HTTP11);
    request.method = HTTP_GET;
    request.target.raw = path;
    const struct relay_request how = {.request = &request, .peer = &peer, .request_id = "id", .changed = on_change};
    cr_assert_eq(relay_begin(&relay, proxy, route, &how), ERR_OK);
    return relay;
}

/* Beyond that many connections a request waits for one that is given back; one that is idle makes room for another application. */
Test(relay, has_so_many_connections)
{
    enum { MAX = LIMIT_PROXY_CONNECTIONS };
    static struct relay *relays[MAX];
    static int apps[MAX + 1];
    struct rlimit files = {2 * MAX + 64, 2 * MAX + 64}, now;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &now), 0);
    if (now.rlim_max > files.rlim_max) files.rlim_max = now.rlim_max;
    if (now.rlim_cur < files.rlim_cur)
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0, "needs %u descriptors", (unsigned)files.rlim_cur);
    for (size_t i = 0; i < MAX; i++) {
        relays[i] = begin(HTTP_GET, false);
        relay_body_end(relays[i]);
        apps[i] = connect_one(i);
    }
    struct relay *beyond = begin(HTTP_GET, false);
    relay_body_end(beyond);
    cr_expect_eq(asked.num, MAX, "%zu", asked.num);
    say(apps[0], ANSWER);
    expect_answer(relays[0]);
    cr_expect_eq(proxy_num_idle(proxy), 0, "it has gone to the one that waited");
    say(apps[0], ANSWER);
    expect_answer(beyond);
    cr_expect_eq(proxy_num_idle(proxy), 1);
    cr_expect_eq(asked.num, MAX);
    struct relay *other = begin_at(2);
    relay_body_end(other);
    cr_expect_eq(proxy_num_idle(proxy), 0);
    cr_assert_eq(asked.num, MAX + 1);
    apps[MAX] = connect_one(MAX);
    say(apps[MAX], ANSWER);
    expect_answer(other);
    for (size_t i = 1; i < MAX; i++) relay_free(relays[i]);
    for (size_t i = 0; i <= MAX; i++) close(apps[i]);
}

Test(relay, keeps_so_many_idle)
{
    static struct relay *relays[LIMIT_PROXY_IDLE + 1];
    int apps[LIMIT_PROXY_IDLE + 1];
    for (size_t i = 0; i <= LIMIT_PROXY_IDLE; i++) {
        relays[i] = begin(HTTP_GET, false);
        relay_body_end(relays[i]);
        apps[i] = connect_one(i);
    }
    for (size_t i = 0; i <= LIMIT_PROXY_IDLE; i++) {
        say(apps[i], ANSWER);
        expect_answer(relays[i]);
    }
    cr_expect_eq(proxy_num_idle(proxy), LIMIT_PROXY_IDLE);
    for (size_t i = 0; i <= LIMIT_PROXY_IDLE; i++) close(apps[i]);
}

/* A client that fetches nothing: no more than the limit is read of the answer. */
Test(relay, reads_no_more_than_there_is_room_for)
{
    static const char block[4096];
    uint8_t out[4096];
    size_t len, sent = 0;
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    int small = 4096;
    setsockopt(app, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    say(app, "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
    for (int idle = 0; idle < 10;) {
        ssize_t wrote = write(app, block, sizeof(block));
        if (wrote > 0) sent += (size_t)wrote;
        idle = wrote > 0 ? 0 : idle + 1;
        turn();
    }
    cr_expect_lt(sent, LIMIT_PROXY_BUFFER + 65536);
    cr_expect_geq(sent, LIMIT_PROXY_BUFFER);
    cr_assert_eq(relay_read(relay, out, &len, sizeof(out)), ERR_OK);
    turn();
    cr_expect_gt(write(app, block, sizeof(block)), 0);
    relay_free(relay);
    close(app);
}

Test(relay, says_when_the_application_takes_no_more)
{
    static const uint8_t block[16384];
    struct relay *relay = begin(HTTP_POST, true);
    cr_expect(relay_wants_body(relay));
    for (size_t sent = 0; sent < LIMIT_PROXY_BUFFER; sent += sizeof(block)) {
        cr_expect(relay_wants_body(relay));
        relay_body(relay, (struct bytes){block, sizeof(block)});
    }
    cr_expect_not(relay_wants_body(relay));
    int app = connect_one(0);
    char drain[65536];
    changes = 0;
    for (int i = 0; i < 20; i++) {
        while (read(app, drain, sizeof(drain)) > 0) {
        }
        turn();
    }
    cr_expect(relay_wants_body(relay));
    cr_expect_eq(relay_unsent(relay), 0);
    relay_free(relay);
    close(app);
}

/* The whole buffer fits into the new connection: nobody but the relay can know that there is room again. */
Test(relay, says_that_there_is_room_when_it_is_connected)
{
    static const uint8_t block[LIMIT_PROXY_BUFFER];
    struct relay *relay = begin(HTTP_POST, true);
    relay_body(relay, (struct bytes){block, sizeof(block)});
    cr_expect_not(relay_wants_body(relay));
    int app = connect_one(0);
    cr_expect_eq(changes, 0, "nothing is called from within a call");
    turn();
    cr_expect_eq(relay_unsent(relay), 0);
    cr_expect_eq(changes, 1);
    relay_free(relay);
    close(app);
}

Test(relay, what_it_said_before_it_ended_is_read)
{
    uint8_t out[16];
    size_t len;
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    say(app, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
    close(app);
    wait_for(relay);
    turn();
    cr_assert_eq(relay_read(relay, out, &len, sizeof(out)), ERR_OK);
    cr_expect_eq(len, 2);
    cr_expect_eq(relay_read(relay, out, &len, sizeof(out)), ERR_CLOSED);
    relay_free(relay);
}

/* ---- Deadlines ---- */

static struct proxy_deadlines all_but(unsigned long offset)
{
    struct proxy_deadlines deadlines = {PATIENCE_MS, PATIENCE_MS, PATIENCE_MS, PATIENCE_MS,
                                        PATIENCE_MS, PATIENCE_MS, PATIENCE_MS};
    *(unsigned *)(void *)((char *)&deadlines + offset) = SOON_MS;
    return deadlines;
}

#define ONLY(field) all_but(offsetof(struct proxy_deadlines, field))

static void expect_late(struct relay *relay)
{
    wait_for(relay);
    cr_expect_eq(relay_fault(relay).status, 504);
    relay_free(relay);
}

Test(late, connection, .fini = tear_down)
{
    make(ONLY(connect_ms));
    expect_late(begin(HTTP_GET, false));
    int app = connect_one(0); /* too late: it becomes idle */
    cr_expect_eq(proxy_num_idle(proxy), 1);
    close(app);
}

Test(late, answer, .fini = tear_down)
{
    make(ONLY(answer_ms));
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    expect_late(relay);
    close(app);
}

/* It may not leave a client waiting for ever to hear whether its body is wanted. */
Test(late, word_on_an_expectation, .fini = tear_down)
{
    make(ONLY(answer_ms));
    struct relay *relay = begin_as(HTTP_POST, true, true);
    int app = connect_one(0);
    cr_expect_not_null(strstr(heard(app), "\r\nExpect: 100-continue\r\n"));
    expect_late(relay);
    relay = begin_as(HTTP_POST, true, true);
    close(app);
    app = connect_one(1);
    say(app, "HTTP/1.1 100 Continue\r\n\r\n");
    uint64_t until = clock_monotonic_ms() + 3 * SOON_MS;
    while (clock_monotonic_ms() < until) ev_run(loop, EVRUN_ONCE);
    cr_expect_eq(relay_fault(relay).status, 0, "from then on it is the client that is waited for");
    relay_free(relay);
    close(app);
}

Test(late, request, .fini = tear_down)
{
    static const uint8_t block[65536];
    make(ONLY(write_ms));
    struct relay *relay = begin(HTTP_POST, true);
    int app = connect_one(0);
    for (int i = 0; i < 20; i++) relay_body(relay, (struct bytes){block, sizeof(block)});
    expect_late(relay);
    close(app);
}

Test(late, body, .fini = tear_down)
{
    uint8_t out[16];
    size_t len;
    make(ONLY(body_ms));
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    say(app, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
    wait_for(relay);
    cr_assert_eq(relay_read(relay, out, &len, sizeof(out)), ERR_OK);
    wait_for(relay);
    cr_expect_eq(relay_read(relay, out, &len, sizeof(out)), ERR_CLOSED);
    relay_free(relay);
    close(app);
}

Test(late, idle, .fini = tear_down)
{
    make(ONLY(idle_ms));
    struct relay *relay = begin(HTTP_GET, false);
    relay_body_end(relay);
    int app = connect_one(0);
    say(app, ANSWER);
    expect_answer(relay);
    uint64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (proxy_num_idle(proxy) > 0 && clock_monotonic_ms() < until) ev_run(loop, EVRUN_ONCE);
    cr_expect_eq(proxy_num_idle(proxy), 0);
    close(app);
}
