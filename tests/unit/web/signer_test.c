/* Handshakes whose signature comes late, wrong, or not at all. */
#include <criterion/criterion.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/keep.h"
#include "tests/unit/web/rig.h"

static struct rig rig;

static void setup(void)
{
    rig_open(&rig, true);
}

static void teardown(void)
{
    rig_close(&rig);
}

TestSuite(signer, .init = setup, .fini = teardown);

static void expect_refused_by(enum fake_keyd_mood mood, const char *reason)
{
    rig.keyd.mood = mood;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_refused(&rig, reason), "%s", rig.log);
    cr_assert_eq(rig.keyd.num_requests, 1);
}

static void expect_served(void)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    rig_write(&rig, "works\n");
    cr_assert(rig_read(&rig, out, sizeof out, "works\n"), "%s", out);
}

Test(signer, reports_a_refusal)
{
    expect_refused_by(KEYD_REFUSES, refusal_text(REFUSAL_EXPIRED));
    rig.keyd.mood = KEYD_SIGNS;
    expect_served();
}

Test(signer, gives_up_a_channel_that_speaks_nonsense)
{
    expect_refused_by(KEYD_GARBAGE, "no signature from keyd: the signing channel was lost");
    cr_assert(rig_logged(&rig, "signing channel lost reason=malformed"), "%s", rig.log);
}

Test(signer, gives_up_a_channel_that_sends_other_kinds)
{
    expect_refused_by(KEYD_WRONG_KIND, "no signature from keyd: the signing channel was lost");
}

Test(signer, fails_fast_until_a_new_identity)
{
    expect_refused_by(KEYD_CLOSES, "no signature from keyd: the signing channel was lost");
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    uint64_t begin = clock_monotonic_ms();
    cr_assert(rig_refused(&rig, "no signature from keyd: there is no channel to keyd"), "%s", rig.log);
    cr_assert_lt(clock_monotonic_ms() - begin, 1000u);
    rig_identity(&rig, true);
    expect_served();
}

Test(signer, refuses_a_signature_longer_than_any)
{
    expect_refused_by(KEYD_LONG_SIGNATURE, "the signature is longer than the key");
}

Test(signer, passes_a_wrong_signature_on_for_the_client_to_refuse)
{
    rig.keyd.mood = KEYD_BAD_SIGNATURE;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert_not(rig_wait_client(&rig));
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert(rig_logged(&rig, "client refused the handshake (alert: decrypt error)"), "%s", rig.log);
}

static void set_patience(unsigned ms)
{
    signer_free(rig.shared.signer);
    rig.shared.signer = signer_new(rig.shared.loop, ms);
    rig_identity(&rig, true);
}

Test(signer, does_not_wait_for_ever)
{
    set_patience(60);
    uint64_t begin = clock_monotonic_ms();
    expect_refused_by(KEYD_SILENT, "no signature from keyd: keyd did not answer in time");
    cr_assert_geq(clock_monotonic_ms() - begin, 50u);
    cr_assert_lt(clock_monotonic_ms() - begin, 2000u);
    /* The answer comes after all, and finds nobody. */
    fake_keyd_answer(&rig.keyd, rig.keyd.last_id);
    rig.keyd.mood = KEYD_SIGNS;
    expect_served();
}

Test(signer, ignores_an_answer_to_somebody_else)
{
    set_patience(60);
    expect_refused_by(KEYD_WRONG_ID, "no signature from keyd: keyd did not answer in time");
}

Test(signer, a_late_answer_misses_a_freed_connection)
{
    rig.keyd.mood = KEYD_SILENT;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_requests(&rig, 1));
    uint64_t late = rig.keyd.last_id;
    conn_free_all(&rig.shared);
    /* The next handshake takes the same place in the table, and must not get the answer of the last. */
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_requests(&rig, 2));
    cr_assert_eq(rig.keyd.last_id & UINT32_MAX, late & UINT32_MAX, "the place is reused");
    cr_assert_neq(rig.keyd.last_id, late);
    fake_keyd_answer(&rig.keyd, late);
    for (int i = 0; i < 50; i++) rig_pump(&rig);
    cr_assert_eq(rig.num_closed, 1, "the second still waits");
    cr_assert_eq(rig.client_error, 0);
    fake_keyd_answer(&rig.keyd, rig.keyd.last_id); /* of nothing: it is passed on, and the client refuses it */
    cr_assert(rig_wait_closed(&rig, 2));
}

Test(signer, an_answer_that_comes_twice_counts_once)
{
    rig.keyd.mood = KEYD_SIGNS;
    expect_served();
    fake_keyd_answer(&rig.keyd, rig.keyd.last_id);
    expect_served();
    cr_assert_eq(rig.shared.handshakes, 2);
}

Test(signer, a_new_identity_fails_what_is_pending)
{
    rig.keyd.mood = KEYD_SILENT;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_requests(&rig, 1));
    rig_identity(&rig, true);
    cr_assert_eq(rig.shared.handshakes_failed, 1, "at once");
    cr_assert(rig_logged(&rig, "no signature from keyd: the server key was replaced"), "%s", rig.log);
    expect_served();
}

Test(signer, a_handshake_of_the_last_identity_does_not_get_the_new_key)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.client); /* accepted under the first, nothing sent yet */
    rig_identity(&rig, true);
    cr_assert(rig_refused(&rig, "no signature from keyd: the server key was replaced"), "%s", rig.log);
    cr_assert_eq(rig.keyd.num_requests, 0);
}

Test(signer, an_open_connection_outlives_its_key)
{
    char out[256];
    expect_served();
    rig_identity(&rig, true);
    rig_write(&rig, "still here\n");
    cr_assert(rig_read(&rig, out, sizeof out, "still here\n"), "%s", out);
}

/* What the client sends meanwhile stays where it is, and does not keep the loop awake. */
Test(signer, sleeps_while_it_waits)
{
    rig.keyd.mood = KEYD_SILENT;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_requests(&rig, 1));
    cr_assert_eq(write(rig.fd, "early", 5), 5);
    cr_assert_lt(rig_idle_turns(&rig, 50), 6u);
}

/* Many handshakes while keyd does not read: the channel fills, the rest queues, and all come through. */
Test(signer, queues_when_the_channel_is_full)
{
    enum { CLIENTS = 96 };
    static SSL *clients[CLIENTS];
    static int fds[CLIENTS];
    int small = 1; /* the kernel's least: a few packets */
    setsockopt(rig.keyd.link.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    rig.keyd.mood = KEYD_ASLEEP;
    /* The sender's buffer is what fills. */
    for (int fd = 3; fd < 64; fd++) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    int normal = 65536;
    for (int i = 0; i < CLIENTS; i++) {
        rig_connect(&rig, SERVICE_ECHO, &rig.client);
        setsockopt(rig.fd, SOL_SOCKET, SO_SNDBUF, &normal, sizeof normal);
        rig_pump(&rig);
        rig_pump(&rig);
        clients[i] = rig.ssl;
        fds[i] = rig.fd;
        rig.ssl = NULL;
        rig.fd = -1;
    }
    rig.keyd.mood = KEYD_SIGNS;
    for (int round = 0; round < 500 && rig.shared.handshakes < CLIENTS; round++) {
        for (int i = 0; i < CLIENTS; i++) SSL_do_handshake(clients[i]);
        rig_pump(&rig);
    }
    cr_assert_eq(rig.shared.handshakes, CLIENTS);
    cr_assert_eq(rig.keyd.num_requests, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        SSL_free(clients[i]);
        close(fds[i]);
    }
}

static void ignore(void *context)
{
    (void)context;
}

Test(signer, keeps_no_more_requests_than_the_limit)
{
    static struct signer_wait waits[LIMIT_SIGN_PENDING + 1];
    uint8_t input[32 + 32 + 4 + 32] = {[64] = 3, [66] = GROUP_X25519, [67] = 32}; /* RFC 8422, 5.4 */
    uint8_t out[128];
    size_t out_len;
    rig.keyd.mood = KEYD_ASLEEP; /* most of them queue */
    for (size_t i = 0; i <= LIMIT_SIGN_PENDING; i++) {
        SSL *ssl = keep(SSL_new(rig.shared.tls)); /* left to the end of the process, like its wait */
        waits[i].ready = ignore;
        signer_attach(rig.shared.signer, &waits[i], ssl);
        enum ssl_private_key_result_t result =
            signer_method()->sign(ssl, out, &out_len, sizeof out, SSL_SIGN_ECDSA_SECP256R1_SHA256, input, sizeof input);
        cr_assert_eq(result, i < LIMIT_SIGN_PENDING ? ssl_private_key_retry : ssl_private_key_failure, "%zu", i);
    }
    cr_assert_str_eq(waits[LIMIT_SIGN_PENDING].failure, "too many signatures are pending");
    /* One that is given up while it is queued is never sent, and makes room for another. */
    signer_detach(&waits[LIMIT_SIGN_PENDING - 1]);
    rig.keyd.mood = KEYD_SIGNS;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    cr_assert_eq(rig.keyd.num_requests, LIMIT_SIGN_PENDING);
}
