/* Streams without TLS and without a worker: the test is the client's connection, the broker and the upstream. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web/stream/streams.h"

static struct streams *streams;
static struct ev_loop *loop;
static struct session_peer peer = {.address = "127.0.0.1:1", .protocol = "", .cipher = "", .group = "", .alpn = ""};
static uint64_t asked[100];
static size_t num_asked, num_wakes;

static void on_connect(void *context, uint32_t route, uint64_t id)
{
    (void)context;
    cr_assert_eq(route, 1);
    cr_assert_neq(id & STREAM_ID_BIT, 0);
    asked[num_asked++] = id;
}

static void on_wake(void *context)
{
    (void)context;
    num_wakes++;
}

static const struct session_host host = {.wake = on_wake};

static void begin_with(bool proxy_protocol)
{
    struct streams_config config = {.num_routes = 2, .access = ACCESS_NONE, .connect_ms = 5000, .end_ms = 60000};
    config.routes[1].proxy_protocol = proxy_protocol;
    config.routes[0].idle_ms = config.routes[1].idle_ms = 600000;
    const struct streams_host streams_host = {.connect = on_connect};
    loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    cr_assert_eq(streams_new(&streams, loop, &config, &streams_host), ERR_OK);
}

static void begin(void)
{
    begin_with(false);
}

static void begin_with_header(void)
{
    begin_with(true);
}

static void end(void)
{
    streams_free(streams);
    ev_loop_destroy(loop);
}

TestSuite(stream, .init = begin, .fini = end);

static struct session *open_stream(void)
{
    struct session *session = stream_session_new(streams, 1, &peer, "127.0.0.1:2", &host);
    cr_assert_not_null(session);
    return session;
}

/* A stream that is connected; the test is the upstream. */
static struct session *connected_stream(int *out_end)
{
    int ends[2];
    struct session *session = open_stream();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    streams_connected(streams, asked[num_asked - 1], ends[1]);
    *out_end = ends[0];
    return session;
}

static void run_loop(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

static size_t produce(struct session *session, uint8_t out[16384])
{
    run_loop();
    return session->ops->produce(session, out, 16384);
}

Test(stream, asks_for_so_many_connections_at_a_time)
{
    struct session *sessions[LIMIT_STREAM_CONNECTING + 2];
    for (size_t i = 0; i < LIMIT_STREAM_CONNECTING + 2; i++) sessions[i] = open_stream();
    cr_assert_eq(num_asked, LIMIT_STREAM_CONNECTING);
    streams_not_connected(streams, asked[0], "nobody there");
    cr_assert_eq(num_asked, LIMIT_STREAM_CONNECTING + 1, "the next in the queue");
    cr_expect_eq(sessions[0]->ops->wants(sessions[0]), SESSION_CUT);
    cr_expect_eq(sessions[LIMIT_STREAM_CONNECTING]->ops->wants(sessions[LIMIT_STREAM_CONNECTING]), 0);
    /* One that has left keeps its place until it is answered, and one in the queue leaves it. */
    sessions[1]->ops->free(sessions[1]);
    cr_expect_eq(num_asked, LIMIT_STREAM_CONNECTING + 1);
    sessions[LIMIT_STREAM_CONNECTING + 1]->ops->free(sessions[LIMIT_STREAM_CONNECTING + 1]);
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    streams_connected(streams, asked[1], ends[1]);
    cr_expect_eq(read(ends[0], (char[1]){0}, 1), 0, "which nobody wants any more");
    close(ends[0]);
    cr_expect_eq(num_asked, LIMIT_STREAM_CONNECTING + 1);
    streams_not_connected(streams, asked[1], "answered twice");
    streams_not_connected(streams, 4711, "never asked");
    for (size_t i = 0; i < LIMIT_STREAM_CONNECTING + 1; i++) {
        if (i != 1) sessions[i]->ops->free(sessions[i]);
    }
}

Test(stream, takes_nothing_before_it_is_connected)
{
    struct session *session = open_stream();
    cr_expect_eq(session->ops->wants(session), 0);
    session->ops->expire(session);
    cr_expect_eq(session->ops->wants(session), SESSION_CUT);
    session->ops->free(session);
}

Test(stream, holds_one_record_at_most)
{
    static uint8_t record[16384];
    int upstream;
    struct session *session = connected_stream(&upstream);
    size_t taken = 0;
    while ((session->ops->wants(session) & SESSION_READ) != 0) {
        cr_assert_eq(session->ops->receive(session, record, sizeof record), ERR_OK);
        taken += sizeof record;
        cr_assert_lt(taken, 64u << 20);
    }
    /* All of it arrives, and then there is room for more. */
    size_t got = 0;
    while (got < taken) {
        ssize_t n = read(upstream, record, sizeof record);
        if (n > 0) got += (size_t)n;
        if (n < 0) cr_assert_eq(errno, EAGAIN);
        run_loop();
    }
    cr_expect_eq(got, taken);
    cr_expect_neq(session->ops->wants(session) & SESSION_READ, 0);
    session->ops->free(session);
    close(upstream);
}

Test(stream, passes_each_end_on_by_itself)
{
    uint8_t out[16384];
    int upstream;
    struct session *session = connected_stream(&upstream);
    cr_assert_eq(session->ops->receive(session, (const uint8_t *)"question", 8), ERR_OK);
    session->ops->receive_end(session);
    cr_expect_eq(read(upstream, out, sizeof out), 8);
    cr_expect_eq(read(upstream, out, sizeof out), 0);
    cr_expect_eq(session->ops->wants(session) & (SESSION_END | SESSION_CLOSE | SESSION_CUT), 0);
    cr_assert_eq(write(upstream, "answer", 6), 6);
    cr_expect_eq(produce(session, out), 6);
    cr_expect_eq(produce(session, out), 0);
    close(upstream);
    cr_expect_eq(produce(session, out), 0);
    cr_expect_eq(session->ops->wants(session), SESSION_CLOSE);
    session->ops->free(session);
}

Test(stream, the_upstreams_end_leaves_the_client_its_say)
{
    uint8_t out[16384];
    int upstream;
    struct session *session = connected_stream(&upstream);
    shutdown(upstream, SHUT_WR);
    cr_expect_eq(produce(session, out), 0);
    cr_expect_eq(session->ops->wants(session), SESSION_END | SESSION_READ);
    cr_assert_eq(session->ops->receive(session, (const uint8_t *)"more", 4), ERR_OK);
    cr_expect_eq(read(upstream, out, sizeof out), 4);
    session->ops->receive_end(session);
    cr_expect_eq(session->ops->wants(session), SESSION_CLOSE);
    session->ops->free(session);
    close(upstream);
}

Test(stream, wakes_no_more_than_it_has_to)
{
    uint8_t out[16384];
    int upstream;
    struct session *session = connected_stream(&upstream);
    cr_expect_eq(produce(session, out), 0);
    cr_assert_eq(write(upstream, "answer", 6), 6);
    num_wakes = 0;
    for (int i = 0; i < 10; i++) run_loop();
    cr_expect_eq(num_wakes, 1, "the client takes nothing meanwhile");
    cr_expect_eq(session->ops->produce(session, out, sizeof out), 6);
    session->ops->free(session);
    close(upstream);
}

/* What it has not taken is nobody's any more, and the stream is the only one that this is about. */
Test(stream, an_upstream_that_ends_with_bytes_on_their_way)
{
    static uint8_t record[16384];
    int upstream;
    struct session *session = connected_stream(&upstream);
    while ((session->ops->wants(session) & SESSION_READ) != 0)
        cr_assert_eq(session->ops->receive(session, record, sizeof record), ERR_OK);
    close(upstream);
    run_loop();
    cr_expect_eq(session->ops->wants(session) & SESSION_READ, 0);
    (void)produce(session, record);
    cr_expect_neq(session->ops->wants(session) & (SESSION_CUT | SESSION_CLOSE), 0);
    session->ops->free(session);
}

Test(header, an_upstream_that_is_gone_before_it_has_it, .init = begin_with_header, .fini = end)
{
    uint8_t out[16384];
    int ends[2];
    struct session *session = open_stream();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    streams_connected(streams, asked[num_asked - 1], ends[1]);
    (void)produce(session, out);
    cr_expect_neq(session->ops->wants(session) & (SESSION_CUT | SESSION_CLOSE), 0);
    session->ops->free(session);
}
