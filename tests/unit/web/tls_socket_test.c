/* The BIO between TLS and a socket, over a socketpair. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "web/tls_socket.h"

static int near_end, far_end;
static BIO *bio;

static void setup(void)
{
    int fds[2];
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    near_end = fds[0];
    far_end = fds[1];
    bio = tls_socket_new(near_end);
    cr_assert_not_null(bio);
}

static void teardown(void)
{
    BIO_free(bio);
    close(near_end);
    close(far_end);
}

TestSuite(tls_socket, .init = setup, .fini = teardown);

static void expect_read(const char *want)
{
    char out[64];
    const int len = (int)strlen(want);
    cr_assert_eq(BIO_read(bio, out, len), len);
    cr_assert_arr_eq(out, want, (size_t)len);
}

static void expect_nothing_to_read(void)
{
    char out;
    cr_assert_eq(BIO_read(bio, &out, 1), -1);
    cr_assert(BIO_should_read(bio));
}

/* What the peer has by now. */
static size_t fetch(uint8_t *out, size_t cap)
{
    const ssize_t got = read(far_end, out, cap);
    return got > 0 ? (size_t)got : 0;
}

Test(tls_socket, takes_what_has_come_in_one_read)
{
    char left;
    cr_assert_eq(write(far_end, "headbodyhead", 12), 12);
    expect_read("head");
    cr_assert_eq(recv(near_end, &left, 1, MSG_DONTWAIT), -1, "nothing is left in the socket");
    expect_read("body");
    expect_read("hea");
    expect_read("d");
    expect_nothing_to_read();
}

Test(tls_socket, asks_a_socket_again_only_when_it_is_readable)
{
    cr_assert_eq(write(far_end, "one", 3), 3);
    expect_read("one");
    cr_assert_eq(write(far_end, "two", 3), 3);
    expect_nothing_to_read();
    tls_socket_readable(bio);
    expect_read("two");
}

Test(tls_socket, passes_the_end_on)
{
    char out;
    cr_assert_eq(write(far_end, "one", 3), 3);
    close(far_end);
    far_end = -1;
    expect_read("one");
    tls_socket_readable(bio);
    cr_assert_eq(BIO_read(bio, &out, 1), 0);
    cr_assert_not(BIO_should_retry(bio));
}

Test(tls_socket, sends_together_what_was_written)
{
    uint8_t out[16];
    cr_assert_eq(BIO_write(bio, "one", 3), 3);
    cr_assert_eq(BIO_write(bio, "two", 3), 3);
    cr_assert_not(tls_socket_is_flushed(bio));
    cr_assert_eq(fetch(out, sizeof out), 0);
    cr_assert_eq(tls_socket_flush(bio), TLS_SOCKET_FLUSHED);
    cr_assert(tls_socket_is_flushed(bio));
    cr_assert_eq(fetch(out, sizeof out), 6);
    cr_assert_arr_eq(out, "onetwo", 6);
}

Test(tls_socket, is_flushed_by_boringssl_too)
{
    uint8_t out[16];
    cr_assert_eq(BIO_write(bio, "alert", 5), 5);
    cr_assert_eq(BIO_flush(bio), 1);
    cr_assert_eq(fetch(out, sizeof out), 5);
}

Test(tls_socket, keeps_so_much_and_no_more)
{
    static uint8_t data[LIMIT_TLS_KEPT];
    uint8_t out;
    cr_assert_eq(BIO_write(bio, data, 1), 1);
    cr_assert_eq(BIO_write(bio, data, LIMIT_TLS_KEPT - 1), LIMIT_TLS_KEPT - 1);
    cr_assert_eq(fetch(&out, 1), 0);
    cr_assert_eq(BIO_write(bio, data, 1), 1);
    cr_assert_eq(fetch(&out, 1), 1, "what was kept made room");
    cr_assert_not(tls_socket_is_flushed(bio));
}

/* Writes until neither the socket nor the BIO takes more; returns how much that was. */
static size_t fill(void)
{
    uint8_t data[1000];
    size_t total = 0;
    for (;;) {
        for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)((total + i) % 251);
        const int taken = BIO_write(bio, data, sizeof data);
        if (taken <= 0) return total;
        total += (size_t)taken;
    }
}

Test(tls_socket, waits_for_a_peer_that_takes_nothing_and_loses_no_byte)
{
    static uint8_t out[65536];
    const size_t total = fill();
    cr_assert(BIO_should_write(bio));
    cr_assert_eq(tls_socket_flush(bio), TLS_SOCKET_WAIT);
    size_t got = 0, len;
    while ((len = fetch(out, sizeof out)) > 0) {
        for (size_t i = 0; i < len; i++) cr_assert_eq(out[i], (uint8_t)((got + i) % 251));
        got += len;
        cr_assert_neq(tls_socket_flush(bio), TLS_SOCKET_LOST);
    }
    cr_assert_eq(got, total);
    cr_assert_eq(tls_socket_flush(bio), TLS_SOCKET_FLUSHED);
}

Test(tls_socket, says_that_the_peer_is_gone)
{
    cr_assert_eq(BIO_write(bio, "one", 3), 3);
    close(far_end);
    far_end = -1;
    cr_assert_eq(tls_socket_flush(bio), TLS_SOCKET_LOST);
}
