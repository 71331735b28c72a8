/* Handshakes with real clients, good and bad, and what becomes of a connection afterwards. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/web/rig.h"
#include "web/conn_internal.h"

static struct rig rig;

static void setup(void)
{
    rig_open(&rig, true);
}

static void teardown(void)
{
    rig_close(&rig);
}

TestSuite(conn, .init = setup, .fini = teardown);

static void expect_echo(const char *line)
{
    char out[8192];
    char sent[128], answer[128];
    snprintf(sent, sizeof sent, "%s\n", line);
    snprintf(answer, sizeof answer, "Z 127.0.0.1:40000 %s\n", line);
    rig_write(&rig, sent);
    cr_assert(rig_read(&rig, out, sizeof out, answer), "got '%s'", out);
}

static const char *client_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason != NULL ? reason : "";
}

Test(conn, serves_a_good_client_over_tls13)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    cr_assert_eq(SSL_version(rig.ssl), TLS1_3_VERSION);
    cr_assert_eq(rig.keyd.last_kind, MSG_SIGN_TLS13_SERVER);
    expect_echo("hello");
    expect_echo("again");
    cr_assert_eq(rig.shared.handshakes, 1);
    cr_assert_eq(rig.shared.handshakes_failed, 0);
    cr_assert_eq(rig.shared.echo_lines, 2);
}

Test(conn, serves_tls12_with_ecdhe_and_aead)
{
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig), "%s", client_reason());
    cr_assert_eq(SSL_version(rig.ssl), TLS1_2_VERSION);
    cr_assert_eq(rig.keyd.last_kind, MSG_SIGN_TLS12_SERVER);
    expect_echo("hello");
}

static void expect_group(uint16_t version, const char *offered, const char *chosen)
{
    SSL_CTX_set_max_proto_version(rig.client_context, version);
    cr_assert(SSL_CTX_set1_curves_list(rig.client_context, offered));
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig), "%x %s: %s", version, offered, client_reason());
    cr_assert_str_eq(SSL_get_curve_name(SSL_get_curve_id(rig.ssl)), chosen);
    expect_echo(offered);
}

Test(conn, serves_every_group)
{
    expect_group(TLS1_3_VERSION, "X25519", "X25519");
    expect_group(TLS1_3_VERSION, "P-256", "P-256");
    expect_group(TLS1_3_VERSION, "P-384", "P-384");
    /* In TLS 1.2 the list also says which curves a certificate may have. */
    expect_group(TLS1_2_VERSION, "P-256", "P-256");
    expect_group(TLS1_2_VERSION, "P-256:X25519", "X25519");
}

Test(conn, takes_the_chosen_groups_alone)
{
    rig.terms.groups = TLS_GROUP_P384 | TLS_GROUP_P256;
    rig_identity(&rig, true);
    expect_group(TLS1_3_VERSION, "X25519:P-384", "P-384");
    expect_group(TLS1_3_VERSION, "P-384:P-256", "P-256"); /* the server's order, not the operator's or the client's */
    SSL_CTX_set1_curves_list(rig.client_context, "X25519");
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_refused(&rig, "client offers no group that this server takes"), "%s", rig.log);
}

Test(conn, takes_the_chosen_suites_alone)
{
    rig.terms.suites = tls_choice_bit(TLS_CHOICE_SUITES, "ECDHE-ECDSA-CHACHA20-POLY1305");
    rig_identity(&rig, true);
    expect_group(TLS1_3_VERSION, "X25519", "X25519");
    expect_group(TLS1_2_VERSION, "P-256", "P-256");
    cr_assert_str_eq(SSL_CIPHER_get_name(SSL_get_current_cipher(rig.ssl)), "ECDHE-ECDSA-CHACHA20-POLY1305");
    cr_assert(SSL_CTX_set_cipher_list(rig.client_context, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_refused(&rig, "client offers no cipher suite with ECDHE, AEAD"), "%s", rig.log);
}

Test(conn, refuses_a_client_without_certificate)
{
    rig_connect(&rig, SERVICE_ECHO, NULL);
    cr_assert(rig_refused(&rig, "reason='client sent no certificate'"), "%s", rig.log);
}

Test(conn, refuses_a_client_without_certificate_in_tls12)
{
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    rig_connect(&rig, SERVICE_ECHO, NULL);
    cr_assert(rig_refused(&rig, "reason='client sent no certificate'"), "%s", rig.log);
}

Test(conn, refuses_another_ca)
{
    struct pki_cert ca = pki_ca("stranger"), client = pki_client(&ca);
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "certificate signed by an unknown CA (issuer CN=stranger)"), "%s", rig.log);
    pki_free(&client);
    pki_free(&ca);
}

Test(conn, refuses_a_ca_of_the_same_name)
{
    struct pki_cert ca = pki_ca("client CA"), client = pki_client(&ca);
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "signed by an unknown CA"), "%s", rig.log);
    cr_assert(rig_logged(&rig, "has another key"), "%s", rig.log);
    pki_free(&client);
    pki_free(&ca);
}

Test(conn, refuses_a_self_signed_certificate)
{
    struct pki_cert client = pki_make(&(struct pki_request){.name = "myself"});
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "signed by an unknown CA (issuer CN=myself)"), "%s", rig.log);
    pki_free(&client);
}

Test(conn, refuses_an_expired_certificate)
{
    struct pki_cert client = pki_make(
        &(struct pki_request){.name = "old", .issuer = &rig.client_ca, .not_before_s = -7200, .not_after_s = -3600});
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "certificate expired on 20"), "%s", rig.log);
    pki_free(&client);
}

Test(conn, refuses_a_certificate_of_tomorrow)
{
    struct pki_cert client = pki_make(
        &(struct pki_request){.name = "early", .issuer = &rig.client_ca, .not_before_s = 86400, .not_after_s = 90000});
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "certificate not valid before 20"), "%s", rig.log);
    pki_free(&client);
}

Test(conn, refuses_a_server_certificate_as_client)
{
    struct pki_cert client =
        pki_make(&(struct pki_request){.name = "server", .issuer = &rig.client_ca, .eku = NID_server_auth});
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "not for client authentication (extended key usage"), "%s", rig.log);
    pki_free(&client);
}

Test(conn, refuses_weak_certificates)
{
    struct pki_request request = {.name = "weak", .issuer = &rig.client_ca, .rsa_bits = 1024};
    struct pki_cert small = pki_make(&request);
    rig_connect(&rig, SERVICE_ECHO, &small);
    cr_assert(rig_refused(&rig, "certificate too weak: RSA key of less than 2048 bits (subject CN=weak)"), "%s",
              rig.log);
    request = (struct pki_request){.name = "old", .issuer = &rig.client_ca, .sha1 = true};
    struct pki_cert old = pki_make(&request);
    rig_connect(&rig, SERVICE_ECHO, &old);
    cr_assert(rig_refused(&rig, "certificate too weak: signed with SHA-1 (subject CN=old)"), "%s", rig.log);
    request = (struct pki_request){.name = "good", .issuer = &rig.client_ca, .rsa_bits = 2048};
    struct pki_cert good = pki_make(&request);
    rig_connect(&rig, SERVICE_ECHO, &good);
    cr_assert(rig_wait_client(&rig));
    expect_echo("rsa");
    pki_free(&small);
    pki_free(&old);
    pki_free(&good);
}

/* A chain of so many certificates, of which the first alone matters. */
static void connect_with_chain(unsigned num_certificates)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    for (unsigned i = 1; i < num_certificates; i++) cr_assert(SSL_add1_chain_cert(rig.ssl, rig.client_ca.x509));
}

Test(conn, takes_a_chain_up_to_the_limit)
{
    connect_with_chain(LIMIT_CLIENT_CHAIN);
    cr_assert(rig_wait_client(&rig));
    expect_echo("long");
    connect_with_chain(LIMIT_CLIENT_CHAIN + 1);
    cr_assert(rig_refused(&rig, "client sent a chain of more than 10 certificates"), "%s", rig.log);
}

Test(conn, follows_an_intermediate_ca)
{
    struct pki_cert middle = pki_make(&(struct pki_request){.name = "middle", .issuer = &rig.client_ca, .is_ca = true});
    struct pki_cert client = pki_client(&middle);
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(SSL_add1_chain_cert(rig.ssl, middle.x509));
    cr_assert(rig_wait_client(&rig));
    expect_echo("by the middle");
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(rig_refused(&rig, "unknown CA (issuer CN=middle)"), "%s", rig.log);
    pki_free(&client);
    pki_free(&middle);
}

Test(conn, a_leaf_is_no_ca)
{
    struct pki_cert client = pki_client(&rig.client);
    rig_connect(&rig, SERVICE_ECHO, &client);
    cr_assert(SSL_add1_chain_cert(rig.ssl, rig.client.x509));
    cr_assert(rig_refused(&rig, "unknown CA (issuer CN=client)"), "%s", rig.log);
    pki_free(&client);
}

static enum ssl_private_key_result_t sign_with_nothing(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                       uint16_t scheme, const uint8_t *in, size_t in_len)
{
    (void)ssl, (void)scheme, (void)in, (void)in_len;
    cr_assert_geq(max_out, 8u);
    memcpy(out, "\x30\x06\x02\x01\x01\x02\x01\x01", 8); /* r = s = 1 */
    *out_len = 8;
    return ssl_private_key_success;
}

/* What somebody has who has seen the certificate, which is no secret. */
Test(conn, refuses_a_certificate_without_its_key)
{
    static const SSL_PRIVATE_KEY_METHOD method = {.sign = sign_with_nothing};
    CRYPTO_BUFFER *leaf = CRYPTO_BUFFER_new(rig.client.der.data, rig.client.der.len, NULL);
    rig_connect(&rig, SERVICE_ECHO, NULL);
    cr_assert(SSL_set_chain_and_key(rig.ssl, &leaf, 1, NULL, &method));
    cr_assert(rig_refused(&rig, "client could not prove that it has the key of its certificate"), "%s", rig.log);
    CRYPTO_BUFFER_free(leaf);
}

static unsigned num_schemes, num_sha1;

static int on_certificate_request(SSL *ssl, void *unused)
{
    (void)unused;
    const uint16_t *schemes;
    num_schemes = (unsigned)SSL_get0_peer_verify_algorithms(ssl, &schemes);
    for (unsigned i = 0; i < num_schemes; i++)
        num_sha1 += schemes[i] == SSL_SIGN_RSA_PKCS1_SHA1 || schemes[i] == SSL_SIGN_ECDSA_SHA1;
    return 1;
}

/* What the server takes is what it asks for. */
Test(conn, takes_no_sha1_from_clients)
{
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    SSL_CTX_set_cert_cb(rig.client_context, on_certificate_request, NULL);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    cr_assert_geq(num_schemes, 8u);
    cr_assert_eq(num_sha1, 0);
}

Test(conn, refuses_tls11)
{
    SSL_CTX_set_min_proto_version(rig.client_context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_1_VERSION);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_refused(&rig, "reason='client speaks TLS 1.1 or older'"), "%s", rig.log);
    cr_assert_eq(rig.keyd.num_requests, 0);
}

Test(conn, refuses_tls12_where_it_is_off)
{
    rig_identity(&rig, false);
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_refused(&rig, "reason='client speaks TLS 1.2 or older'"), "%s", rig.log);
}

static void expect_no_suite(const char *suite)
{
    SSL_CTX_set_max_proto_version(rig.client_context, TLS1_2_VERSION);
    cr_assert(SSL_CTX_set_strict_cipher_list(rig.client_context, suite));
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(
        rig_refused(&rig, "client offers no cipher suite with ECDHE, AEAD and the kind of key that the server has"),
        "%s", rig.log);
    cr_assert_eq(rig.keyd.num_requests, 0);
}

Test(conn, refuses_rsa_key_exchange)
{
    expect_no_suite("AES128-GCM-SHA256");
}

Test(conn, refuses_cbc)
{
    expect_no_suite("ECDHE-ECDSA-AES128-SHA");
}

Test(conn, says_so_when_it_hears_plain_http)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    rig_socket(&rig, SERVICE_HTTPS);
    cr_assert_eq(write(rig.fd, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    rig.client_error = 1; /* it says no more */
    cr_assert(rig_refused(&rig, "reason='plain HTTP on the TLS port'"), "%s", rig.log);
}

Test(conn, says_so_when_it_hears_no_tls)
{
    static const char noise[] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";
    rig_socket(&rig, SERVICE_ECHO);
    cr_assert_eq(write(rig.fd, noise, sizeof noise), (ssize_t)sizeof noise);
    rig.client_error = 1;
    cr_assert(rig_refused(&rig, "reason='what the client sent is not TLS'"), "%s", rig.log);
}

Test(conn, refuses_a_protocol_that_nobody_speaks)
{
    rig_connect(&rig, SERVICE_HTTPS, &rig.client);
    SSL_set_alpn_protos(rig.ssl, (const uint8_t *)"\x08smtp/1.0", 9);
    cr_assert(rig_refused(&rig, "client offers no protocol in ALPN that this port speaks"), "%s", rig.log);
}

Test(conn, refuses_http_on_the_echo_port)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    SSL_set_alpn_protos(rig.ssl, (const uint8_t *)"\x02h2\x08http/1.1", 12);
    cr_assert(rig_refused(&rig, "client offers no protocol in ALPN that this port speaks"), "%s", rig.log);
}

static unsigned num_sessions;

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    num_sessions += SSL_SESSION_is_resumable(session) != 0;
    return 0;
}

/* A resumed handshake would use neither the server's key nor the client's. */
Test(conn, lets_nobody_resume)
{
    SSL_CTX_set_session_cache_mode(rig.client_context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(rig.client_context, on_new_session);
    for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX_set_max_proto_version(rig.client_context, version);
        rig_connect(&rig, SERVICE_ECHO, &rig.client);
        cr_assert(rig_wait_client(&rig));
        expect_echo("a ticket would have been read by now");
    }
    cr_assert_eq(num_sessions, 0);
}

Test(conn, cuts_a_slow_handshake)
{
    rig.shared.deadlines.handshake_ms = 60;
    rig_socket(&rig, SERVICE_ECHO);
    cr_assert_eq(write(rig.fd, "\x16\x03\x01", 3), 3); /* a record's beginning, and no more */
    uint64_t begin = clock_monotonic_ms();
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert_geq(clock_monotonic_ms() - begin, 50u);
    cr_assert(rig_logged(&rig, "the handshake was not finished in time"), "%s", rig.log);
}

/* A crowd that says nothing does not keep out who has something to say. */
Test(conn, cuts_the_oldest_handshake_when_there_are_too_many)
{
    int kept[3];
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig) && rig_wait_handshakes(&rig, 1));
    kept[0] = dup(rig.fd); /* the rig leaves one connection when it opens the next */
    rig_socket(&rig, SERVICE_ECHO);
    kept[1] = dup(rig.fd);
    rig.shared.conns.num_handshakes += LIMIT_HANDSHAKES - 2;
    rig_socket(&rig, SERVICE_ECHO);
    kept[2] = dup(rig.fd);
    cr_assert_eq(rig.num_closed, 0);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert_eq(rig.num_closed, 1);
    cr_assert_eq(read(kept[1], &(char){0}, 1), 0, "the oldest of those that are not done");
    cr_assert(rig_wait_client(&rig), "the last to come is served");
    expect_echo("me");
    cr_assert_eq(rig.num_closed, 1);
    cr_assert_eq(rig.shared.conns.num, 3);
    cr_assert(rig_logged(&rig, "too many handshakes are waited for"), "%s", rig.log);
    rig.shared.conns.num_handshakes -= LIMIT_HANDSHAKES - 2;
    cr_assert_eq(rig.shared.conns.num_handshakes, 1);
    for (int i = 0; i < 3; i++) close(kept[i]);
}

Test(conn, cuts_a_silent_peer_without_a_word)
{
    rig.shared.deadlines.handshake_ms = 30;
    rig_socket(&rig, SERVICE_ECHO);
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert_not(rig_logged(&rig, "handshake"), "%s", rig.log);
}

Test(conn, logs_an_aborted_handshake_as_such)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    rig.keyd.mood = KEYD_SILENT;
    cr_assert(rig_wait_requests(&rig, 1));
    rig.keyd.mood = KEYD_SIGNS;
    SSL_free(rig.ssl);
    rig.ssl = NULL;
    close(rig.fd);
    rig.fd = -1;
    fake_keyd_answer(&rig.keyd, rig.keyd.last_id);
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert(rig_logged(&rig, "handshake aborted peer='127.0.0.1:40000'"), "%s", rig.log);
    cr_assert_eq(rig.shared.handshakes_failed, 0);
}

Test(conn, logs_few_of_many_aborted_handshakes)
{
    for (unsigned i = 0; i < 40; i++) {
        rig_socket(&rig, SERVICE_ECHO);
        cr_assert_eq(write(rig.fd, "\x16\x03\x01", 3), 3);
        close(rig.fd);
        rig.fd = -1;
        cr_assert(rig_wait_closed(&rig, i + 1));
    }
    cr_assert(rig_logged(&rig, "handshake aborted"));
    unsigned lines = 0;
    for (const char *at = rig.log; (at = strchr(at, '\n')) != NULL; at++) lines++;
    cr_assert_leq(lines, 6, "%s", rig.log);
}

Test(conn, closes_an_idle_echo_with_a_word)
{
    char out[256];
    rig.shared.deadlines.echo_ms = 50;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    cr_assert(rig_read(&rig, out, sizeof out, "error: no line for too long\n"), "%s", out);
    cr_assert_not(rig_read(&rig, out, sizeof out, "more"));
    cr_assert_eq(SSL_get_error(rig.ssl, 0), SSL_ERROR_ZERO_RETURN, "close_notify came");
}

Test(conn, does_not_wait_for_a_peer_that_never_closes)
{
    rig.shared.deadlines.echo_ms = 30;
    rig.shared.deadlines.shutdown_ms = 40;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    cr_assert(rig_wait_closed(&rig, 1)); /* rig.fd is open all the time */
    cr_assert_geq(rig.fd, 0);
}

Test(conn, answers_what_came_before_close_notify)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    rig_write(&rig, "last words");
    cr_assert_eq(SSL_shutdown(rig.ssl), 0);
    cr_assert(rig_read(&rig, out, sizeof out, "last words\n"), "%s", out);
}

Test(conn, answers_nothing_to_a_cut_connection)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    rig_write(&rig, "half a li");
    shutdown(rig.fd, SHUT_WR);
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert_not(rig_read(&rig, out, sizeof out, "half"));
    cr_assert_eq(rig.shared.echo_lines, 0);
}

/* Sends lines without reading answers until the server takes no more, then reads all. */
Test(conn, stops_reading_when_answers_are_not_taken)
{
    static char line[2048], out[65536];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    unsigned sent = 0, stuck = 0;
    while (sent < 900 && stuck < 200) {
        if (SSL_write(rig.ssl, line, sizeof line) > 0) {
            sent++;
            stuck = 0;
        } else {
            stuck++;
        }
        rig_pump(&rig);
    }
    cr_assert_lt(sent, 900u, "the server went on reading");
    cr_assert_leq(rig.shared.echo_lines, sent);
    unsigned answers = 0;
    for (unsigned i = 0; i < 20000 && answers < sent; i++) {
        int n = SSL_read(rig.ssl, out, sizeof out);
        for (int at = 0; at < n; at++) answers += out[at] == '\n';
        if (n <= 0) rig_pump(&rig);
    }
    cr_assert_eq(answers, sent, "all that was sent is answered in the end");
    cr_assert_eq(rig.num_closed, 0);
}

/* They are as good as written when the peer has said that it will say no more, and the connection is being closed. */
Test(conn, waits_for_the_last_answers_as_long_as_for_any)
{
    static char line[2048], out[65536];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    rig.shared.deadlines.shutdown_ms = 30;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    rig_write(&rig, "begin\n");
    cr_assert(rig_read(&rig, out, sizeof out, "begin\n"));
    const struct conn *conn = rig.shared.conns.first;
    cr_assert_eq(setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)), 0);
    for (int i = 0; i < 10; i++) cr_assert_eq(SSL_write(rig.ssl, line, sizeof line), (int)sizeof line);
    cr_assert_eq(SSL_shutdown(rig.ssl), 0);
    rig_idle_turns(&rig, 150);
    cr_assert_eq(rig.num_closed, 0);
    cr_assert_eq(conn->state, CONN_CLOSING);
    unsigned answers = 0;
    for (unsigned i = 0; i < 2000 && answers < 10; i++) {
        int n = SSL_read(rig.ssl, out, sizeof out);
        for (int at = 0; at < n; at++) answers += out[at] == '\n';
        if (n <= 0) rig_pump(&rig);
    }
    cr_assert_eq(answers, 10);
}

Test(conn, cuts_a_peer_that_takes_nothing)
{
    static char line[2048];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    rig.shared.deadlines.write_ms = 100;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    for (unsigned i = 0; i < 2000 && rig.num_closed == 0; i++) {
        (void)SSL_write(rig.ssl, line, sizeof line);
        rig_pump(&rig);
    }
    cr_assert(rig_wait_closed(&rig, 1));
}

Test(conn, drains)
{
    char out[256];
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    cr_assert(rig_wait_client(&rig));
    expect_echo("x");
    conn_drain_all(&rig.shared);
    cr_assert(rig_read(&rig, out, sizeof out, "error: the server is stopping\n"), "%s", out);
    shutdown(rig.fd, SHUT_WR);
    cr_assert(rig_wait_closed(&rig, 1));
    cr_assert_eq(rig.shared.conns.num, 0);
}

Test(conn, drains_a_handshake_that_ends_later)
{
    char out[256];
    rig.keyd.mood = KEYD_ASLEEP;
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    rig_pump(&rig);
    conn_drain_all(&rig.shared);
    rig.keyd.mood = KEYD_SIGNS;
    cr_assert(rig_wait_client(&rig));
    cr_assert(rig_read(&rig, out, sizeof out, "error: the server is stopping\n"), "%s", out);
}
