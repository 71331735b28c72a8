/* A handshake that is looked at, against real peers: the messages in their order, and what becomes of it. */
#include "browser-shim/client_tls_watch.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/browser_shim/client/peer.h"

static struct diag diag;
static struct client_tls *tls;
static struct client_handle handle;
static struct client_tls_outcome outcome;
static char seen[512]; /* "c1 s2 s8 ...": from whom, and a handshake message's type; "c!112" an alert, "c*" the rest */

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
}

static void tear_down(void)
{
    client_tls_free(tls);
    tls = NULL;
}

TestSuite(client_tls_watch, .init = set_up, .fini = tear_down);

static void note(void *context, const struct client_tls_message *message)
{
    char *text = context;
    size_t len = strlen(text);
    const char from = message->from_client ? 'c' : 's';
    cr_assert_gt(message->data.len, 0);
    if (message->content_type == CLIENT_TLS_HANDSHAKE) {
        cr_expect_geq(message->data.len, 4);
        snprintf(text + len, sizeof seen - len, "%c%u ", from, message->data.data[0]);
    } else if (message->content_type == CLIENT_TLS_ALERT) {
        cr_assert_eq(message->data.len, 2);
        snprintf(text + len, sizeof seen - len, "%c!%u ", from, message->data.data[1]);
    }
}

/* Looks at a handshake to its end. */
static enum err look_at(const struct peer_server *server, enum peer_keyd keyd, enum client_tls_versions versions)
{
    struct client_address address = {.host = "localhost"};
    const struct client_tls_watch watch = {.message = note, .context = seen, .versions = versions};
    tear_down();
    seen[0] = diag.text[0] = '\0';
    peer_start_keyd(&handle, keyd);
    int fd = peer_start_server(server);
    cr_assert_eq(client_tls_new(&tls, fd, &handle, &address, CLIENT_TLS_HTTP, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(client_tls_watch(tls, &watch, &diag), ERR_OK, "%s", diag.text);
    enum err err = client_tls_handshake(tls, &diag);
    if (err == ERR_OK) err = client_tls_part(tls, &diag);
    client_tls_outcome(&outcome, tls, err == ERR_OK);
    return err;
}

static enum err look(const struct peer_server *server)
{
    return look_at(server, KEYD_SIGNS, CLIENT_TLS_12_AND_13);
}

#define EXPECT_DIAG(part) cr_expect(strstr(diag.text, part) != NULL, "it says: %s", diag.text)
#define EXPECT_SEEN(begin) cr_expect(strncmp(seen, begin, strlen(begin)) == 0, "seen: %s", seen)

Test(client_tls_watch, tls_1_3)
{
    cr_assert_eq(look(&(struct peer_server){0}), ERR_OK, "%s", diag.text);
    EXPECT_SEEN("c1 s2 s8 s13 s11 s15 s20 c11 c15 c20 c!0 ");
    cr_expect_str_eq(outcome.version, "TLSv1.3");
    cr_expect_str_eq(outcome.group, "X25519");
    cr_expect_str_eq(outcome.scheme, "ecdsa_secp256r1_sha256");
    cr_expect_not_null(outcome.suite);
    cr_expect_not_null(outcome.server);
    cr_expect_not_null(outcome.client);
    cr_expect_str_empty(outcome.alpn);
    cr_expect(outcome.asked);
}

Test(client_tls_watch, a_server_that_asks_for_nothing_is_no_error)
{
    cr_assert_eq(look(&(struct peer_server){.asking = PEER_ASKS_NOTHING}), ERR_OK, "%s", diag.text);
    EXPECT_SEEN("c1 s2 s8 s11 s15 s20 c20 ");
    cr_expect_not(outcome.asked);
    cr_expect_null(outcome.client);
    const struct peer_server old = {.asking = PEER_ASKS_NOTHING, .max_version = TLS1_2_VERSION};
    cr_assert_eq(look(&old), ERR_OK, "%s", diag.text);
    EXPECT_SEEN("c1 s2 s11 s12 s14 c16 c20 ");
    cr_expect_str_eq(outcome.version, "TLSv1.2");
    cr_assert_eq(look_at(&(struct peer_server){.asking = PEER_ASKS_NOTHING}, KEYD_SIGNS, CLIENT_TLS_12_ALONE), ERR_OK);
    cr_expect_str_eq(outcome.version, "TLSv1.2");
}

/* A keyd that would sign anything is not even asked. */
Test(client_tls_watch, sends_no_certificate_in_tls_1_2)
{
    cr_expect_eq(look(&(struct peer_server){.max_version = TLS1_2_VERSION}), ERR_DENIED);
    EXPECT_SEEN("c1 s2 s11 s12 s13 s14 c11 c16 c20 s!");
    EXPECT_DIAG("speaks TLS 1.2 and refused a client without a certificate; the handle signs TLS 1.3 alone");
    cr_expect_str_eq(outcome.version, "TLSv1.2");
    cr_expect(outcome.asked);
    cr_expect_null(outcome.client);
}

Test(client_tls_watch, hears_a_refusal_after_the_handshake)
{
    cr_expect_eq(look(&(struct peer_server){.client_ca = PEER_CA_OTHER}), ERR_DENIED);
    EXPECT_DIAG("refused the client certificate");
    EXPECT_SEEN("c1 s2 s8 s13 s11 s15 s20 c11 c15 c20 ");
    cr_expect(strstr(seen, " s!48 ") != NULL, "seen: %s", seen);
    cr_expect_str_eq(outcome.version, "TLSv1.3");
}

Test(client_tls_watch, tells_a_server_that_is_not_trusted)
{
    cr_expect_eq(look(&(struct peer_server){.ca = PEER_CA_OTHER}), ERR_DENIED);
    EXPECT_DIAG("certificate verify failed");
    EXPECT_SEEN("c1 s2 s8 s13 s11 s15 c!");
    cr_expect_str_eq(outcome.version, "TLSv1.3");
    cr_expect_not_null(outcome.server, "whose certificate it was can be shown");
    cr_expect_null(outcome.suite);
}

Test(client_tls_watch, tells_a_keyd_that_does_not_sign)
{
    cr_expect_eq(look_at(&(struct peer_server){0}, KEYD_REFUSES, CLIENT_TLS_12_AND_13), ERR_DENIED);
    EXPECT_DIAG("keyd did not sign");
    cr_expect(strstr(seen, "c15") == NULL, "seen: %s", seen);
}

Test(client_tls_watch, says_what_versions_it_speaks)
{
    cr_expect_eq(look(&(struct peer_server){.behaviour = PEER_PLAIN_TEXT}), ERR_CRYPTO);
    EXPECT_DIAG("does not speak TLS 1.2 or 1.3 there; check the port");
    EXPECT_SEEN("c1 ");
    cr_expect_null(outcome.version);
    cr_expect_null(outcome.server);
    cr_expect_eq(look(&(struct peer_server){.max_version = TLS1_1_VERSION}), ERR_DENIED);
    EXPECT_DIAG("does not speak TLS 1.2 or 1.3");
    cr_expect_eq(look(&(struct peer_server){.behaviour = PEER_HANGS_UP}), ERR_CLOSED);
    EXPECT_DIAG("during the handshake");
}
