/* The client's TLS against real peers: whom it trusts, what it says when something is wrong. */
#include "browser-shim/client_tls.h"

#include <criterion/criterion.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>

#include "tests/unit/browser_shim/client/peer.h"

static struct diag diag;
static struct client_tls *tls;
static struct client_handle handle;

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN); /* as client_main does */
}

static void tear_down(void)
{
    client_tls_free(tls);
    tls = NULL;
}

TestSuite(client_tls, .init = set_up, .fini = tear_down);

/* Shakes hands with a server under a name, with a handle of a keyd. */
static enum err shake_as(const char *host, const struct peer_server *server, enum peer_keyd keyd)
{
    struct client_address address = {.is_ip = strchr("0123456789:", host[0]) != NULL};
    strcpy(address.host, host);
    tear_down();
    peer_start_keyd(&handle, keyd);
    int fd = peer_start_server(server);
    diag.text[0] = '\0';
    cr_assert_eq(client_tls_new(&tls, fd, &handle, &address, CLIENT_TLS_HTTP, &diag), ERR_OK, "%s", diag.text);
    return client_tls_handshake(tls, &diag);
}

static enum err shake(const struct peer_server *server, enum peer_keyd keyd)
{
    return shake_as("localhost", server, keyd);
}

/* Sends a word and reads what comes back. */
static enum err talk(char *out, size_t out_len)
{
    size_t len = 0;
    memset(out, 0, out_len);
    enum err err = client_tls_write(tls, (const uint8_t *)"who am I", 8, &diag);
    return err == ERR_OK ? client_tls_read(tls, (uint8_t *)out, &len, out_len - 1, CLIENT_TLS_WAIT, &diag) : err;
}

#define EXPECT_DIAG(part) cr_expect(strstr(diag.text, part) != NULL, "it says: %s", diag.text)

static void expect_known_as_kiosk(void)
{
    char answer[64];
    cr_assert_eq(talk(answer, sizeof answer), ERR_OK, "%s", diag.text);
    cr_expect_str_eq(answer, "kiosk");
}

Test(client_tls, authenticates_with_a_key_that_is_elsewhere)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        cr_assert_eq(shake_as(hosts[i], &(struct peer_server){0}, KEYD_SIGNS), ERR_OK, "%s: %s", hosts[i], diag.text);
        expect_known_as_kiosk();
        char text[128];
        cr_expect(strstr(client_tls_describe(tls, text, sizeof text), "TLSv1.3 ") == text, "%s", text);
    }
}

Test(client_tls, tells_an_orderly_end)
{
    cr_assert_eq(shake(&(struct peer_server){0}, KEYD_SIGNS), ERR_OK);
    expect_known_as_kiosk();
    uint8_t data[8];
    size_t len = 99;
    cr_expect_eq(client_tls_read(tls, data, &len, sizeof data, CLIENT_TLS_WAIT, &diag), ERR_OK);
    cr_expect_eq(len, 0);
}

Test(client_tls, tells_a_truncated_stream)
{
    cr_assert_eq(shake(&(struct peer_server){.behaviour = PEER_TRUNCATES}, KEYD_SIGNS), ERR_OK);
    expect_known_as_kiosk();
    uint8_t data[8];
    size_t len = 99;
    cr_expect_eq(client_tls_read(tls, data, &len, sizeof data, CLIENT_TLS_WAIT, &diag), ERR_CLOSED);
    EXPECT_DIAG("before its answer was complete");
}

Test(client_tls, does_not_wait_where_it_must_not)
{
    cr_assert_eq(shake(&(struct peer_server){0}, KEYD_SIGNS), ERR_OK);
    uint8_t data[8];
    size_t len = 0;
    cr_expect_eq(client_tls_read(tls, data, &len, sizeof data, CLIENT_TLS_NO_WAIT, &diag), ERR_AGAIN);
    expect_known_as_kiosk();
}

Test(client_tls, refuses_another_name)
{
    cr_expect_eq(shake_as("kiosk.example", &(struct peer_server){0}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("is not for 'kiosk.example'");
    cr_expect_eq(shake_as("127.0.0.2", &(struct peer_server){0}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("is not for '127.0.0.2'");
}

Test(client_tls, refuses_another_ca)
{
    cr_expect_eq(shake(&(struct peer_server){.ca = PEER_CA_OTHER}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("certificate verify failed");
}

Test(client_tls, refuses_a_certificate_out_of_its_time)
{
    cr_expect_eq(shake(&(struct peer_server){.not_after_s = -60}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("has expired");
    cr_expect_eq(shake(&(struct peer_server){.not_before_s = 600}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("not valid yet");
}

Test(client_tls, refuses_a_certificate_that_is_not_a_servers)
{
    cr_expect_eq(shake(&(struct peer_server){.eku = NID_client_auth}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("certificate verify failed");
}

/* With a server that is not the broker's own, what is wrong is somebody else's to mend. */
static enum err shake_foreign(const char *host, const struct peer_server *server, enum peer_keyd keyd)
{
    struct client_address address = {.is_ip = false};
    strcpy(address.host, host);
    tear_down();
    peer_start_keyd(&handle, keyd);
    handle.foreign = true;
    int fd = peer_start_server(server);
    diag.text[0] = '\0';
    cr_assert_eq(client_tls_new(&tls, fd, &handle, &address, CLIENT_TLS_HTTP, &diag), ERR_OK, "%s", diag.text);
    return client_tls_handshake(tls, &diag);
}

Test(client_tls, says_what_is_wrong_with_a_foreign_server)
{
    cr_assert_eq(shake_foreign("localhost", &(struct peer_server){0}, KEYD_SIGNS), ERR_OK, "%s", diag.text);
    expect_known_as_kiosk();
    cr_expect_eq(shake_foreign("kiosk.example", &(struct peer_server){0}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("is not for 'kiosk.example' but for localhost");
    cr_expect(strstr(diag.text, "broker status") == NULL, "it says: %s", diag.text);
    cr_expect_eq(shake_foreign("localhost", &(struct peer_server){.ca = PEER_CA_OTHER}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("--cacert has to name the CA that signed the server's certificate");
    cr_expect_eq(shake_foreign("localhost", &(struct peer_server){.asking = PEER_ASKS_NOTHING}, KEYD_SIGNS),
                 ERR_DENIED);
    EXPECT_DIAG("did not ask for a client certificate: this is not the server that wants one");
    cr_expect_eq(shake_foreign("localhost", &(struct peer_server){0}, KEYD_DOUBTS), ERR_DENIED);
    EXPECT_DIAG("keyd did not sign: it takes localhost for another server");
    cr_expect_eq(shake_foreign("localhost", &(struct peer_server){0}, KEYD_CLOSES), ERR_CLOSED);
    EXPECT_DIAG("keyd takes no such CA or name, or the handle was revoked");
}

Test(client_tls, refuses_a_server_that_asks_for_nothing)
{
    cr_expect_eq(shake(&(struct peer_server){.asking = PEER_ASKS_NOTHING}, KEYD_SIGNS), ERR_DENIED);
    EXPECT_DIAG("did not ask for a client certificate");
}

Test(client_tls, refuses_tls_1_2)
{
    cr_expect_neq(shake(&(struct peer_server){.max_version = TLS1_2_VERSION}, KEYD_SIGNS), ERR_OK);
    EXPECT_DIAG("TLS 1.3");
}

Test(client_tls, tells_what_is_not_tls)
{
    cr_expect_eq(shake(&(struct peer_server){.behaviour = PEER_PLAIN_TEXT}, KEYD_SIGNS), ERR_CRYPTO);
    EXPECT_DIAG("check the port");
}

Test(client_tls, tells_a_server_that_hangs_up)
{
    cr_expect_eq(shake(&(struct peer_server){.behaviour = PEER_HANGS_UP}, KEYD_SIGNS), ERR_CLOSED);
    EXPECT_DIAG("during the handshake");
}

/* In TLS 1.3 the client is done before the server has looked at its certificate. */
Test(client_tls, tells_that_the_server_refused)
{
    char answer[64];
    cr_assert_eq(shake(&(struct peer_server){.client_ca = PEER_CA_OTHER}, KEYD_SIGNS), ERR_OK, "%s", diag.text);
    cr_expect_eq(talk(answer, sizeof answer), ERR_DENIED, "%s", diag.text);
    EXPECT_DIAG("refused the client certificate");
}

Test(client_tls, tells_that_keyd_refused)
{
    cr_expect_eq(shake(&(struct peer_server){0}, KEYD_REFUSES), ERR_DENIED);
    EXPECT_DIAG("keyd did not sign: the handle has expired");
}

Test(client_tls, tells_that_the_handle_was_revoked)
{
    cr_expect_eq(shake(&(struct peer_server){0}, KEYD_CLOSES), ERR_CLOSED);
    EXPECT_DIAG("the handle was revoked");
}

Test(client_tls, tells_that_the_handle_does_not_work)
{
    cr_expect_eq(shake(&(struct peer_server){0}, KEYD_TALKS_NONSENSE), ERR_MALFORMED);
    EXPECT_DIAG("the handle does not work");
}

Test(client_tls, takes_no_answer_to_another_request)
{
    cr_expect_eq(shake(&(struct peer_server){0}, KEYD_SIGNS_AFTER_STALE_ANSWER), ERR_OK, "%s", diag.text);
    expect_known_as_kiosk();
}

Test(client_tls, a_wrong_signature_is_of_no_use)
{
    char answer[64];
    enum err err = shake(&(struct peer_server){0}, KEYD_SIGNS_WRONG);
    if (err == ERR_OK) err = talk(answer, sizeof answer);
    cr_expect_neq(err, ERR_OK);
}
