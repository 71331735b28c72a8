/* What keyd is told of a handshake, and when. */
#include <criterion/criterion.h>
#include <ev.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "keyd/transcript.h"
#include "tests/unit/web/rig.h"
#include "web/handshake_messages.h"

static struct rig rig;

static void setup(void)
{
    rig_open(&rig, true);
}

static void teardown(void)
{
    rig_close(&rig);
}

TestSuite(expect, .init = setup, .fini = teardown);

static void shake(void)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig), "%s", rig.log);
    rig_write(&rig, "works\n");
    char out[256];
    cr_assert(rig_read(&rig, out, sizeof out, "works\n"), "%s", out);
}

static void assert_expected(unsigned count)
{
    struct transcript transcript;
    cr_assert_eq(rig.keyd.num_expected, count);
    cr_assert(transcript_parse(&transcript, (struct bytes){rig.keyd.expected, rig.keyd.expected_len},
                               TRANSCRIPT_TO_FINISHED));
    cr_assert_eq(transcript.scheme, SCHEME_ECDSA_P256_SHA256);
}

Test(expect, keyd_is_told_of_each_handshake_once)
{
    for (unsigned i = 1; i <= 3; i++) {
        shake();
        assert_expected(i);
    }
    cr_assert_eq(rig.keyd.num_requests, 3);
    cr_assert_not(rig_logged(&rig, "not bound"));
}

Test(expect, keyd_is_told_nothing_while_nobody_holds_a_handle)
{
    rig.shared.expects = false;
    shake();
    cr_assert_eq(rig.keyd.num_requests, 1);
    cr_assert_eq(rig.keyd.num_expected, 0);
    rig.shared.expects = true;
    shake();
    assert_expected(1);
}

/* The word that somebody does counts up to the moment when the flight is complete. */
Test(expect, a_handle_that_is_lent_during_a_handshake_is_in_time)
{
    rig.shared.expects = false;
    rig.keyd.mood = KEYD_SILENT;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_requests(&rig, 1));
    rig.shared.expects = true;
    fake_keyd_answer(&rig.keyd, rig.keyd.last_id);
    rig_pump(&rig);
    fake_keyd_step(&rig.keyd);
    assert_expected(1);
}

Test(expect, a_retried_hello_is_told_too)
{
    cr_assert(SSL_CTX_set1_curves_list(rig.client_context, "P-256:X25519"));
    shake();
    assert_expected(1);
    const uint8_t *hello = rig.keyd.expected;
    size_t first = 4 + ((size_t)hello[1] << 16 | (size_t)hello[2] << 8 | hello[3]);
    cr_assert_eq(rig.keyd.expected[first], SSL3_MT_SERVER_HELLO);
    cr_assert(SSL_CTX_set1_curves_list(rig.client_context, "P-521:X25519"));
    shake();
    assert_expected(2);
    hello = rig.keyd.expected;
    first = 4 + ((size_t)hello[1] << 16 | (size_t)hello[2] << 8 | hello[3]);
    first += 4 + ((size_t)hello[first + 1] << 16 | (size_t)hello[first + 2] << 8 | hello[first + 3]);
    cr_assert_eq(rig.keyd.expected[first], SSL3_MT_CLIENT_HELLO, "there was no retry");
}

Test(expect, of_tls12_keyd_is_told_nothing)
{
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    shake();
    cr_assert_eq(rig.keyd.num_requests, 1);
    cr_assert_eq(rig.keyd.num_expected, 0);
}

/* The client that would have to answer takes nothing any more, so the flight never leaves. keyd knew of it before. */
Test(expect, keyd_is_told_before_the_client)
{
    rig.keyd.mood = KEYD_SILENT;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_requests(&rig, 1));
    /* The server's hello may have come; what is to come is refused. */
    cr_assert_eq(shutdown(rig.fd, SHUT_RD), 0);
    SSL_free(rig.ssl);
    rig.ssl = NULL;
    /* The signature that the test gives is of nothing; the server does not look at it. */
    fake_keyd_answer(&rig.keyd, rig.keyd.last_id);
    cr_assert(rig_wait_closed(&rig, 1));
    fake_keyd_step(&rig.keyd);
    assert_expected(1);
}

Test(expect, a_refusal_is_logged_and_the_handshake_goes_on)
{
    rig.keyd.mood = KEYD_DOUBTS;
    shake();
    rig_pump(&rig);
    rig_pump(&rig);
    cr_assert(rig_logged(&rig, "handshake not bound reason='the handshake\\x27s messages are not as they have to be'"),
              "%s", rig.log);
    shake();
    cr_assert_eq(rig.shared.handshakes, 2);
}

static enum ssl_verify_result_t reject(SSL *ssl, uint8_t *out_alert)
{
    (void)ssl;
    *out_alert = SSL_AD_INTERNAL_ERROR;
    return ssl_verify_invalid;
}

/* A browser whose signature was refused gives up, as this client does: the verdict says whose fault it is. */
Test(expect, a_refusal_is_the_verdict_on_a_client_that_gives_up)
{
    static const struct explain_query last = {.max = 1};
    struct verdict verdict[LIMIT_EXPLANATION];
    rig.keyd.mood = KEYD_DOUBTS;
    SSL_CTX_set_custom_verify(rig.client_context, SSL_VERIFY_PEER, reject);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    while (SSL_get_error(rig.ssl, SSL_do_handshake(rig.ssl)) != SSL_ERROR_SSL) {
        fake_keyd_step(&rig.keyd);
        ev_run(rig.shared.loop, EVRUN_NOWAIT);
    }
    fake_keyd_step(&rig.keyd);
    signer_catch_up(rig.shared.signer);
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert_eq(verdicts_list(rig.shared.log.verdicts, verdict, &last), 1);
    cr_expect(strstr(verdict[0].reason, "; keyd expected no client of it: the handshake's messages are not as") != NULL,
              "%s", verdict[0].reason);
    cr_expect(strstr(verdict[0].remedy, "broker and keyd log") != NULL);
    cr_expect_eq(verdict[0].kind, HANDSHAKE_ALERT);
}

/* keyd does not read, and the channel is full: so much waits, then it is said that a handshake is lost to browsers. */
Test(expect, what_does_not_fit_waits)
{
    static uint8_t messages[1000];
    struct signer_wait wait = {.signer = NULL};
    SSL *ssl = SSL_new(rig.shared.tls);
    signer_attach(rig.shared.signer, &wait, ssl);
    unsigned told = 0;
    while (!rig_logged(&rig, "handshake not bound reason='the channel to keyd is full'")) {
        cr_assert_lt(told, 10000);
        signer_expect(&wait, (struct bytes){messages, sizeof messages});
        told++;
    }
    cr_assert_gt(told, LIMIT_EXPECT_PENDING);
    for (int i = 0; i < 1000 && rig.keyd.num_expected < told - 1; i++) rig_pump(&rig);
    cr_assert_eq(rig.keyd.num_expected, told - 1, "all but the one that was given up");
    signer_expect(&wait, (struct bytes){messages, sizeof messages});
    fake_keyd_step(&rig.keyd);
    cr_assert_eq(rig.keyd.num_expected, told);
    signer_detach(&wait);
    SSL_free(ssl);
}

/* A handshake that began under the key before has nothing to tell to the keyd of the new one. */
Test(expect, of_the_last_identity_the_next_keyd_is_told_nothing)
{
    static uint8_t messages[1000];
    struct signer_wait wait = {.signer = NULL};
    SSL *ssl = SSL_new(rig.shared.tls);
    signer_attach(rig.shared.signer, &wait, ssl);
    rig_identity(&rig, true);
    signer_expect(&wait, (struct bytes){messages, sizeof messages});
    fake_keyd_step(&rig.keyd);
    cr_assert_eq(rig.keyd.num_expected, 0);
    signer_detach(&wait);
    SSL_free(ssl);
}

Test(handshake_messages, are_kept_up_to_their_limit)
{
    static uint8_t message[LIMIT_TRANSCRIPT + 1];
    struct handshake_messages messages = {0};
    static const size_t steps[] = {1, 4094, 1, 1, LIMIT_TRANSCRIPT - 4098, 1};
    size_t len = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        memset(message, (int)i, sizeof message);
        handshake_messages_add(&messages, (struct bytes){message, steps[i]});
        len += steps[i];
        cr_assert_not(messages.ended);
        cr_assert_eq(messages.len, len);
        cr_assert_eq(messages.data[len - 1], i);
        cr_assert_eq(messages.data[0], 0);
    }
    cr_assert_eq(len, LIMIT_TRANSCRIPT);
    handshake_messages_add(&messages, (struct bytes){message, 1});
    cr_assert(messages.ended);
    cr_assert_null(messages.data);
    handshake_messages_add(&messages, (struct bytes){message, 1});
    cr_assert_null(messages.data, "what was given up is not begun again in its middle");

    messages = (struct handshake_messages){0};
    handshake_messages_add(&messages, (struct bytes){message, LIMIT_TRANSCRIPT + 1});
    cr_assert(messages.ended);
}
