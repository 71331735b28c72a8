/* Connections that share one handle and one loop, against real servers. */
#include "tlsclient/tlsclient.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/browser_shim/client/peer.h"
#include "tlsclient/explain.h"

enum { MANY = 5, PATIENCE_MS = 20000 };

static struct client_handle handle;
static struct tlsclient_server *server;
static struct tlsclient_signer *signer;
static struct tlsclient *connections[MANY];
static int fds[MANY];
static unsigned told;
static struct diag diag;

static void on_signed(void *context)
{
    (void)context;
    told++;
}

static void tear_down(void)
{
    for (size_t i = 0; i < MANY; i++) {
        tlsclient_free(connections[i]);
        connections[i] = NULL;
    }
    tlsclient_signer_free(signer);
    tlsclient_server_free(server);
    signer = NULL;
    server = NULL;
}

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
}

TestSuite(tlsclient, .init = set_up, .fini = tear_down);

static void make(const char *host, enum peer_keyd keyd)
{
    tear_down();
    told = 0;
    peer_start_keyd(&handle, keyd);
    const struct tlsclient_config config = {
        .host = host, .ca = handle.ca, .chain = {handle.certificate, handle.ca}, .num_chain = 2, .foreign = true};
    cr_assert_eq(tlsclient_server_new(&server, &config, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(tlsclient_signer_new(&signer, handle.fd), ERR_OK);
}

static void connect_one(size_t which, const struct peer_server *peer)
{
    fds[which] = peer_start_server(peer);
    cr_assert_eq(tlsclient_new(&connections[which], server, signer, fds[which], on_signed, NULL), ERR_OK);
}

/* Runs until the call is through; the handle is run whenever it has something to say. */
static void wait_for(size_t which, enum tlsclient_wait wait)
{
    struct pollfd rows[2] = {{.fd = tlsclient_signer_fd(signer), .events = POLLIN}, {.fd = -1}};
    if (wait != TLSCLIENT_WAITS_SIGNATURE)
        rows[1] = (struct pollfd){.fd = fds[which], .events = wait == TLSCLIENT_WAITS_WRITE ? POLLOUT : POLLIN};
    cr_assert_gt(poll(rows, 2, PATIENCE_MS), 0);
    if (rows[0].revents != 0) {
        enum err err = tlsclient_signer_run(signer);
        (void)err;
    }
}

static enum err shake(size_t which)
{
    for (;;) {
        enum tlsclient_wait wait;
        enum err err = tlsclient_handshake(connections[which], &wait);
        if (err != ERR_AGAIN) return err;
        wait_for(which, wait);
    }
}

static const char *why(size_t which)
{
    static const struct tlsclient_words words = {.ca_option = "ca"};
    enum err err = tlsclient_explain(tlsclient_story(connections[which]), &words, &diag);
    cr_expect_neq(err, ERR_OK);
    return diag.text;
}

static size_t write_some(size_t which, struct bytes data)
{
    enum tlsclient_wait wait;
    size_t len;
    enum err err;
    while ((err = tlsclient_write(connections[which], &len, data, &wait)) == ERR_AGAIN) wait_for(which, wait);
    cr_assert_eq(err, ERR_OK, "%s", why(which));
    return len;
}

static enum err read_some(size_t which, uint8_t *out, size_t *out_len, size_t cap)
{
    enum tlsclient_wait wait;
    enum err err;
    while ((err = tlsclient_read(connections[which], out, out_len, cap, &wait)) == ERR_AGAIN) wait_for(which, wait);
    return err;
}

Test(tlsclient, many_share_a_handle)
{
    make("localhost", KEYD_SIGNS);
    for (size_t i = 0; i < MANY; i++) connect_one(i, &(struct peer_server){0});
    /* All of them wait at the same time before any signature is looked at. */
    for (size_t i = 0; i < MANY; i++) {
        enum tlsclient_wait wait;
        while (tlsclient_handshake(connections[i], &wait) == ERR_AGAIN && wait != TLSCLIENT_WAITS_SIGNATURE) {
            struct pollfd row = {.fd = fds[i], .events = POLLIN};
            cr_assert_gt(poll(&row, 1, PATIENCE_MS), 0);
        }
    }
    cr_expect_eq(told, 0);
    tlsclient_free(connections[2]); /* one does not wait for its own */
    connections[2] = NULL;
    for (size_t i = MANY; i-- > 0;) {
        uint8_t answer[16];
        size_t len;
        if (connections[i] == NULL) continue;
        cr_assert_eq(shake(i), ERR_OK, "%s", why(i));
        cr_expect(tlsclient_story(connections[i])->connected);
        cr_expect_eq(write_some(i, (struct bytes){(const uint8_t *)"who am I", 8}), 8);
        cr_assert_eq(read_some(i, answer, &len, sizeof answer), ERR_OK);
        cr_expect(len == 5 && memcmp(answer, "kiosk", 5) == 0);
    }
    cr_expect_eq(told, MANY - 1);
}

Test(tlsclient, says_what_is_wrong)
{
    static const struct {
        const char *host, *text;
        struct peer_server peer;
    } rows[] = {
        {"app.example", "is not for 'app.example'", {0}},
        {"localhost", "ca has to name the CA", {.ca = PEER_CA_OTHER}},
        {"localhost", "has expired", {.not_after_s = -60}},
        {"localhost", "did not ask for a client certificate", {.asking = PEER_ASKS_NOTHING}},
        {"localhost", "does not speak TLS 1.3 there", {.behaviour = PEER_PLAIN_TEXT}},
        {"localhost", "the connection during the handshake", {.behaviour = PEER_HANGS_UP}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make(rows[i].host, KEYD_SIGNS);
        connect_one(0, &rows[i].peer);
        cr_assert_eq(shake(0), ERR_CRYPTO);
        cr_expect(strstr(why(0), rows[i].text) != NULL, "it says: %s", diag.text);
    }
}

/* In TLS 1.3 that comes after the client's part of the handshake. */
Test(tlsclient, hears_that_it_is_refused_when_it_reads)
{
    uint8_t byte;
    size_t len;
    make("localhost", KEYD_SIGNS);
    connect_one(0, &(struct peer_server){.client_ca = PEER_CA_OTHER});
    cr_assert_eq(shake(0), ERR_OK, "%s", why(0));
    cr_assert_eq(read_some(0, &byte, &len, 1), ERR_CRYPTO);
    cr_expect(strstr(why(0), "refused the client certificate") != NULL, "it says: %s", diag.text);
}

Test(tlsclient, an_end_that_nobody_announced_is_none)
{
    uint8_t answer[16];
    size_t len;
    make("localhost", KEYD_SIGNS);
    connect_one(0, &(struct peer_server){.behaviour = PEER_TRUNCATES});
    connect_one(1, &(struct peer_server){0});
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(shake(i), ERR_OK, "%s", why(i));
        (void)write_some(i, (struct bytes){(const uint8_t *)"who am I", 8});
        cr_assert_eq(read_some(i, answer, &len, sizeof answer), ERR_OK);
        cr_expect_eq(read_some(i, answer, &len, sizeof answer), i == 0 ? ERR_CRYPTO : ERR_OK);
        cr_expect_eq(len, 0);
    }
}

/* Part of a record is in BoringSSL, where the socket does not tell of it. */
Test(tlsclient, tells_of_what_the_socket_does_not_tell_of)
{
    uint8_t byte;
    size_t len;
    make("localhost", KEYD_SIGNS);
    connect_one(0, &(struct peer_server){0});
    cr_assert_eq(shake(0), ERR_OK, "%s", why(0));
    cr_expect_not(tlsclient_has_unread(connections[0]));
    (void)write_some(0, (struct bytes){(const uint8_t *)"who am I", 8});
    cr_assert_eq(read_some(0, &byte, &len, 1), ERR_OK);
    cr_expect(tlsclient_has_unread(connections[0]));
    for (size_t i = 0; i < 4; i++) cr_assert_eq(read_some(0, &byte, &len, 1), ERR_OK);
    cr_expect_not(tlsclient_has_unread(connections[0]));
}

/* The server reads nothing; what has to be sent again has moved, and has grown. */
Test(tlsclient, what_waits_to_be_written_may_move_and_grow)
{
    static uint8_t data[2][1 << 16];
    enum tlsclient_wait wait;
    enum err err;
    size_t len;
    make("localhost", KEYD_SIGNS);
    connect_one(0, &(struct peer_server){.behaviour = PEER_NEVER_ENDS});
    cr_assert_eq(shake(0), ERR_OK, "%s", why(0));
    while ((err = tlsclient_write(connections[0], &len, (struct bytes){data[0], 9000}, &wait)) == ERR_OK) {
    }
    cr_assert_eq(err, ERR_AGAIN, "%s", why(0));
    cr_expect_eq(wait, TLSCLIENT_WAITS_WRITE);
    cr_expect_eq(tlsclient_write(connections[0], &len, (struct bytes){data[1], sizeof data[1]}, &wait), ERR_AGAIN);
}

Test(tlsclient, keyds_refusal_is_told)
{
    make("localhost", KEYD_DOUBTS);
    connect_one(0, &(struct peer_server){0});
    cr_assert_eq(shake(0), ERR_CRYPTO);
    cr_expect_eq(tlsclient_story(connections[0])->refusal, REFUSAL_SERVER);
    cr_expect(strstr(why(0), "keyd did not sign") != NULL, "it says: %s", diag.text);
    make("localhost", KEYD_CLOSES);
    connect_one(0, &(struct peer_server){0});
    cr_assert_eq(shake(0), ERR_CRYPTO);
    cr_expect_eq(tlsclient_story(connections[0])->handle_error, ERR_CLOSED);
}
