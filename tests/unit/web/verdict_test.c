/* Of each handshake that fails the log has one line: who, which certificate, why, what to do. */
#include <criterion/criterion.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

TestSuite(verdict, .init = setup, .fini = teardown);

/* What the one line has to say. */
struct expected {
    const char *subject; /* NULL: no certificate was shown */
    const char *reason, *remedy;
};

static void expect_verdict(const char *event, const struct expected *verdict)
{
    char start[256], certificate[256] = " remedy='", remedy[256];
    snprintf(start, sizeof start, "handshake %s peer='127.0.0.1:40000' reason='%s", event, verdict->reason);
    if (verdict->subject != NULL) snprintf(certificate, sizeof certificate, " subject='%s' serial=", verdict->subject);
    snprintf(remedy, sizeof remedy, " remedy='%s", verdict->remedy);
    const char *line = rig_logged(&rig, start) ? strstr(rig.log, start) : NULL;
    cr_assert_not_null(line, "no '%s' in: %s", start, rig.log);
    char copy[2048];
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
    cr_expect(strstr(copy, certificate) != NULL, "no '%s' in: %s", certificate, copy);
    cr_expect(strstr(copy, remedy) != NULL, "no '%s' in: %s", remedy, copy);
    cr_expect((strstr(copy, " subject=") != NULL) == (verdict->subject != NULL), "%s", copy);
    cr_expect(strstr(line + 1, "handshake refused") == NULL, "one line: %s", rig.log);
}

static void expect_refused(const struct expected *verdict)
{
    rig.log_len = 0;
    cr_expect(rig_refused(&rig, verdict->reason), "no '%s' in: %s", verdict->reason, rig.log);
    expect_verdict("refused", verdict);
}

/* The client's own CA, one of another name, and one of the same name with another key. */
enum issuer { ISSUER_OURS, ISSUER_STRANGER, ISSUER_NAMESAKE, ISSUER_ITSELF };

Test(verdict, certificates)
{
    static const struct {
        enum issuer issuer;
        struct pki_request request;
        struct expected verdict;
    } rows[] = {
        {ISSUER_STRANGER,
         {.name = "a"},
         {"CN=a", "certificate signed by an unknown CA (issuer CN=stranger)",
          "if its clients are to be let in, name that CA with --client-ca"}},
        {ISSUER_ITSELF, {.name = "b"}, {"CN=b", "certificate signed by an unknown CA (issuer CN=b)", "if its clients"}},
        {ISSUER_NAMESAKE,
         {.name = "c"},
         {"CN=c", "certificate signed by an unknown CA", "give the client a certificate by the present CA"}},
        {ISSUER_OURS,
         {.name = "d", .not_before_s = -7200, .not_after_s = -3600},
         {"CN=d", "certificate expired on 20", "give the client a new certificate, or set this machine"}},
        {ISSUER_OURS,
         {.name = "e", .not_before_s = 86400, .not_after_s = 90000},
         {"CN=e", "certificate not valid before 20", "set the clock of this machine, or"}},
        {ISSUER_OURS,
         {.name = "f", .eku = NID_server_auth},
         {"CN=f", "certificate not for client authentication", "give the client a certificate for client auth"}},
        {ISSUER_OURS,
         {.name = "g", .rsa_bits = 1024},
         {"CN=g", "certificate too weak: RSA key", "give the client a certificate with P-256, P-384 or RSA from 2048"}},
        {ISSUER_OURS,
         {.name = "h", .sha1 = true},
         {"CN=h", "certificate too weak: signed with SHA-1", "give the client a certificate with P-256"}},
    };
    struct pki_cert stranger = pki_ca("stranger"), namesake = pki_ca("client CA");
    const struct pki_cert *const issuers[] = {&rig.client_ca, &stranger, &namesake, NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pki_request request = rows[i].request;
        request.issuer = issuers[rows[i].issuer];
        struct pki_cert client = pki_make(&request);
        rig_connect(&rig, SERVICE_ECHO, &client);
        expect_refused(&rows[i].verdict);
        pki_free(&client);
    }
    pki_free(&stranger);
    pki_free(&namesake);
}

Test(verdict, a_revoked_certificate)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(rig.client.x509);
    const struct bytes octets = {ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)};
    cr_assert_eq(revoked_add(&rig.shared.revoked, octets), ERR_OK);
    rig_connect(&rig, SERVICE_ECHO, &rig.client);
    expect_refused(
        &(struct expected){"CN=client", "client certificate revoked serial=", "if its owner is to be let in"});
}

Test(verdict, keyds_own_certificate_without_a_handle)
{
    rig_connect(&rig, SERVICE_ECHO, &rig.own_client);
    rig.log_len = 0;
    cr_expect(rig_refused(&rig, "keyd knows of no handle that it used"), "%s", rig.log);
    cr_expect(rig_logged(&rig, "remedy='have it connect with a handle, through browser-shim"), "%s", rig.log);
    cr_expect(rig_logged(&rig, " subject='"), "%s", rig.log);
}

static void set_nothing(void)
{
}

static void set_tls11(void)
{
    SSL_set_min_proto_version(rig.ssl, TLS1_VERSION);
    SSL_set_max_proto_version(rig.ssl, TLS1_1_VERSION);
}

static void set_cbc(void)
{
    SSL_set_max_proto_version(rig.ssl, TLS1_2_VERSION);
    SSL_set_strict_cipher_list(rig.ssl, "ECDHE-ECDSA-AES128-SHA");
}

static void set_p521(void)
{
    SSL_set1_curves_list(rig.ssl, "P-521");
}

static void set_rsa_alone(void)
{
    static const uint16_t schemes[] = {SSL_SIGN_RSA_PSS_RSAE_SHA256};
    SSL_set_verify_algorithm_prefs(rig.ssl, schemes, 1);
}

static void set_smtp(void)
{
    SSL_set_alpn_protos(rig.ssl, (const uint8_t *)"\x08smtp/1.0", 9);
}

static enum ssl_verify_result_t refuse_server(SSL *ssl, uint8_t *out_alert)
{
    (void)ssl;
    *out_alert = SSL_AD_UNKNOWN_CA;
    return ssl_verify_invalid;
}

static void set_distrust(void)
{
    SSL_set_custom_verify(rig.ssl, SSL_VERIFY_PEER, refuse_server);
}

static enum ssl_verify_result_t dislike_server(SSL *ssl, uint8_t *out_alert)
{
    (void)ssl;
    *out_alert = SSL_AD_INSUFFICIENT_SECURITY;
    return ssl_verify_invalid;
}

static void set_dislike(void)
{
    SSL_set_custom_verify(rig.ssl, SSL_VERIFY_PEER, dislike_server);
}

static void set_deaf_keyd(void)
{
    rig.keyd.mood = KEYD_REFUSES;
}

Test(verdict, what_is_not_about_a_certificate)
{
    static const struct {
        void (*set)(void);
        struct expected verdict;
    } rows[] = {
        {set_nothing, {NULL, "client sent no certificate", "have the client send a certificate"}},
        {set_tls11, {NULL, "client speaks TLS 1.1 or older", "update the client; [tls] min_version"}},
        {set_cbc, {NULL, "client offers no cipher suite", "update the client; [tls] suites"}},
        {set_p521, {NULL, "client offers no group", "update the client; [tls] groups"}},
        {set_rsa_alone, {NULL, "client takes no signature scheme", "update the client, or bring the server a key"}},
        {set_smtp, {NULL, "client offers no protocol in ALPN", "have the client offer h2 or http/1.1"}},
        {set_distrust, {NULL, "client does not trust the server certificate", "have the client trust the CA that"}},
        {set_dislike, {NULL, "client refused the handshake (alert: insufficient", "see what the client says"}},
        {set_deaf_keyd, {NULL, "no signature from keyd", "see what the broker and keyd log"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_connect(&rig, SERVICE_HTTPS, NULL);
        rows[i].set();
        expect_refused(&rows[i].verdict);
    }
}

Test(verdict, what_is_no_tls)
{
    static const struct {
        const char *sent;
        struct expected verdict;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
         {NULL, "plain HTTP on the TLS port", "have the client use https"}},
        {"\x01\x02\x03\x04\x05\x06\x07\x08\x09", {NULL, "what the client sent is not TLS", "see what connects"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_socket(&rig, SERVICE_HTTPS);
        cr_assert_eq(write(rig.fd, rows[i].sent, strlen(rows[i].sent)), (ssize_t)strlen(rows[i].sent));
        rig.client_error = 1; /* it says no more */
        expect_refused(&rows[i].verdict);
    }
}

Test(verdict, a_client_that_leaves)
{
    rig_socket(&rig, SERVICE_HTTPS);
    cr_assert_eq(write(rig.fd, "\x16\x03\x01", 3), 3);
    close(rig.fd);
    rig.fd = -1;
    cr_assert(rig_wait_closed(&rig, 1));
    expect_verdict("aborted",
                   &(struct expected){NULL, "client closed the connection", "none, unless it repeats: then see"});
}

Test(verdict, a_client_that_takes_too_long)
{
    rig.shared.deadlines.handshake_ms = 30;
    rig_socket(&rig, SERVICE_HTTPS);
    cr_assert_eq(write(rig.fd, "\x16\x03\x01", 3), 3);
    cr_assert(rig_wait_closed(&rig, 1));
    expect_verdict("aborted",
                   &(struct expected){NULL, "the handshake was not finished in time", "none, unless it repeats"});
}
