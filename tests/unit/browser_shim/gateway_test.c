/* The gateway between a browser, which is this test, and servers that are what web is, or are not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/clock.h"
#include "browser-shim/gateway/gateway.h"
#include "tests/unit/browser_shim/client/peer.h"

#define PATIENCE_MS 5000u
#define SHORT_MS 50u

static struct ev_loop *loop;
static struct gateway *gateway;
static struct gateway_config config;
static struct sockaddr_in address;

static void tick(struct ev_loop *of, ev_timer *watcher, int events)
{
    (void)of, (void)watcher, (void)events;
}

static ev_timer ticker;

static void set_up(void)
{
    socklen_t len = sizeof address;
    signal(SIGPIPE, SIG_IGN);
    config = gateway_config_usual;
    config.host = "localhost";
    config.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(bind(config.listener, (const struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(config.listener, 64), 0);
    cr_assert_eq(getsockname(config.listener, (struct sockaddr *)&address, &len), 0);
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    ev_timer_init(&ticker, tick, 0.005, 0.005);
    ev_timer_start(loop, &ticker);
}

static void tear_down(void)
{
    gateway_free(gateway);
    gateway = NULL;
    ev_loop_destroy(loop);
    close(config.listener);
}

TestSuite(gateway, .init = set_up, .fini = tear_down);

/* ---- The browser ------------------------------------------------------------------------------------------------- */

static int browse(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void run_until(uint64_t end_ms)
{
    while (clock_monotonic_ms() < end_ms) ev_run(loop, EVRUN_ONCE);
}

/* What comes until it ends with last, or the end. Returns how it ended: 1 with last, 0 in order, -errno. */
static int hear(char *out, size_t size, int fd, const char *last)
{
    const uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    size_t len = 0;
    out[0] = '\0';
    while (clock_monotonic_ms() < end_ms) {
        ev_run(loop, EVRUN_ONCE);
        const ssize_t got = read(fd, out + len, size - 1 - len);
        if (got < 0 && errno == EAGAIN) continue;
        if (got <= 0) return got == 0 ? 0 : -errno;
        len += (size_t)got;
        out[len] = '\0';
        if (last != NULL && len >= strlen(last) && strcmp(out + len - strlen(last), last) == 0) return 1;
    }
    return -ETIMEDOUT;
}

static void expect_echo(int fd)
{
    char heard[64];
    say(fd, "hello\n");
    cr_assert_eq(hear(heard, sizeof heard, fd, "hello\n"), 1);
    cr_assert_str_eq(heard, "then there hello\n");
}

static void expect_sorry(int fd)
{
    char heard[2048];
    say(fd, "GET / HTTP/1.1\r\n");
    cr_assert_eq(hear(heard, sizeof heard, fd, NULL), 0, "%s", heard);
    cr_assert_eq(strncmp(heard, "HTTP/1.1 503 ", 13), 0, "%s", heard);
    cr_assert_not_null(strstr(heard, "\r\nConnection: close\r\n"));
    close(fd);
}

static void begin(const struct peer_server *server, enum peer_keyd keyd)
{
    struct client_handle handle;
    config.port = peer_listen(server);
    peer_start_keyd(&handle, keyd);
    cr_assert_eq(gateway_new(&gateway, loop, &config), ERR_OK);
    gateway_take_handle(gateway, handle.fd);
}

static void expect_connections(unsigned num)
{
    const uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (gateway_connections(gateway) != num && clock_monotonic_ms() < end_ms) ev_run(loop, EVRUN_ONCE);
    cr_assert_eq(gateway_connections(gateway), num);
}

/* ---- Carrying ---------------------------------------------------------------------------------------------------- */

static const struct peer_server echo = {.behaviour = PEER_ECHOES};
static const struct peer_server silent = {.behaviour = PEER_IS_SILENT};

Test(gateway, carries_bytes_both_ways)
{
    begin(&echo, KEYD_SIGNS);
    const int first = browse(), second = browse();
    expect_echo(first);
    expect_echo(second);
    expect_echo(first);
    close(first);
    expect_connections(1);
    expect_echo(second);
}

Test(gateway, passes_on_the_end_in_order)
{
    char heard[64];
    begin(&(struct peer_server){.behaviour = PEER_TLS}, KEYD_SIGNS);
    const int fd = browse();
    say(fd, "who am I?");
    cr_assert_eq(hear(heard, sizeof heard, fd, NULL), 0);
    cr_assert_str_eq(heard, "kiosk");
    close(fd);
    expect_connections(0);
}

Test(gateway, passes_on_a_cut_as_a_cut)
{
    char heard[64];
    begin(&(struct peer_server){.behaviour = PEER_TRUNCATES}, KEYD_SIGNS);
    const int fd = browse();
    say(fd, "who am I?");
    cr_assert_eq(hear(heard, sizeof heard, fd, NULL), -ECONNRESET);
}

Test(gateway, one_connection_too_many_waits)
{
    char heard[64];
    int fds[4];
    config.max_connections = 3;
    begin(&echo, KEYD_SIGNS);
    for (size_t i = 0; i < 4; i++) fds[i] = browse();
    for (size_t i = 0; i < 3; i++) expect_echo(fds[i]);
    say(fds[3], "late\n");
    run_until(clock_monotonic_ms() + SHORT_MS);
    cr_assert_eq(gateway_connections(gateway), 3);
    cr_assert_eq(read(fds[3], heard, sizeof heard), -1);
    close(fds[1]);
    cr_assert_eq(hear(heard, sizeof heard, fds[3], "late\n"), 1);
}

Test(gateway, accepts_nobody_before_it_has_a_key)
{
    config.port = peer_listen(&echo);
    cr_assert_eq(gateway_new(&gateway, loop, &config), ERR_OK);
    const int fd = browse();
    run_until(clock_monotonic_ms() + SHORT_MS);
    cr_assert_eq(gateway_connections(gateway), 0);
    struct client_handle handle;
    peer_start_keyd(&handle, KEYD_SIGNS);
    gateway_take_handle(gateway, handle.fd);
    expect_echo(fd);
}

/* ---- Deadlines --------------------------------------------------------------------------------------------------- */

Test(gateway, a_server_that_does_not_shake_hands_in_time_is_none)
{
    config.handshake_ms = SHORT_MS;
    begin(NULL, KEYD_SIGNS);
    expect_sorry(browse());
    expect_connections(0);
}

Test(gateway, a_browser_that_asks_nothing_gets_no_answer)
{
    char heard[64];
    config.handshake_ms = SHORT_MS;
    begin(NULL, KEYD_SIGNS);
    const int fd = browse();
    cr_assert_eq(hear(heard, sizeof heard, fd, NULL), 0);
    cr_assert_str_eq(heard, "");
}

Test(gateway, waits_for_the_second_half_as_long_as_it_may)
{
    char heard[64];
    config.half_ms = SHORT_MS;
    begin(&silent, KEYD_SIGNS);
    const int whole = browse(), half = browse();
    say(whole, "anybody?\n");
    say(half, "anybody?\n");
    run_until(clock_monotonic_ms() + SHORT_MS);
    cr_assert_eq(shutdown(half, SHUT_WR), 0);
    (void)hear(heard, sizeof heard, half, NULL);
    expect_connections(1);
    run_until(clock_monotonic_ms() + 2 * SHORT_MS);
    cr_assert_eq(gateway_connections(gateway), 1, "who has not ended waits as long as he likes");
}

Test(gateway, a_browser_that_does_not_end_is_left)
{
    char heard[64];
    config.linger_ms = SHORT_MS;
    begin(&(struct peer_server){.behaviour = PEER_TLS}, KEYD_SIGNS);
    const int fd = browse();
    say(fd, "who am I?");
    cr_assert_eq(hear(heard, sizeof heard, fd, NULL), 0);
    expect_connections(0);
}

/* ---- Handles and servers that are none --------------------------------------------------------------------------- */

Test(gateway, says_sorry_where_keyd_does_not_sign)
{
    static const enum peer_keyd kinds[] = {KEYD_REFUSES, KEYD_DOUBTS, KEYD_CLOSES, KEYD_TALKS_NONSENSE,
                                           KEYD_SIGNS_WRONG};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        begin(&echo, kinds[i]);
        expect_sorry(browse());
        expect_connections(0);
        gateway_free(gateway);
    }
    gateway = NULL;
}

Test(gateway, says_sorry_where_the_server_is_another)
{
    static const struct peer_server servers[] = {
        {.behaviour = PEER_ECHOES, .ca = PEER_CA_OTHER},
        {.behaviour = PEER_ECHOES, .asking = PEER_ASKS_NOTHING},
        {.behaviour = PEER_ECHOES, .max_version = TLS1_2_VERSION},
        {.behaviour = PEER_ECHOES, .client_ca = PEER_CA_OTHER}, /* said after our part of the handshake */
    };
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        begin(&servers[i], KEYD_SIGNS);
        expect_sorry(browse());
        expect_connections(0);
        gateway_free(gateway);
    }
    gateway = NULL;
}

Test(gateway, a_handle_that_has_ended_is_replaced_by_the_next)
{
    struct client_handle handle;
    begin(&echo, KEYD_CLOSES);
    expect_sorry(browse());
    expect_sorry(browse());
    peer_start_keyd(&handle, KEYD_SIGNS);
    gateway_take_handle(gateway, handle.fd);
    run_until(clock_monotonic_ms() + SHORT_MS);
    const int fd = browse();
    expect_echo(fd);
    peer_start_keyd(&handle, KEYD_SIGNS);
    gateway_take_handle(gateway, handle.fd);
    run_until(clock_monotonic_ms() + SHORT_MS);
    expect_echo(fd);
    expect_echo(browse());
}

Test(gateway, a_handle_that_nobody_describes_leaves_the_one_before)
{
    int ends[2];
    begin(&echo, KEYD_SIGNS);
    expect_echo(browse());
    cr_assert_eq(channel_pair(ends), ERR_OK);
    close(ends[1]);
    gateway_take_handle(gateway, ends[0]);
    run_until(clock_monotonic_ms() + SHORT_MS);
    expect_echo(browse());
}
