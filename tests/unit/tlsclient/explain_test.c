/* Each failure that people know, by what is known of the connection: cause and remedy, in words. */
#include "tlsclient/explain.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/clock.h"

static const char *remedy(enum refusal refusal)
{
    (void)refusal;
    return "do something";
}

static const struct tlsclient_words words = {.ca_option = "--cacert", .remedy = remedy};

struct row {
    struct tlsclient_story story;
    const char *cause, *remedy;
};

static void check(const struct row *row)
{
    struct diag diag = {{0}};
    struct tlsclient_story story = row->story;
    story.host = "page.example";
    story.versions = "TLS 1.3";
    cr_expect_neq(tlsclient_explain(&story, &words, &diag), ERR_OK);
    cr_expect(strstr(diag.text, row->cause) != NULL, "'%s' is not in: %s", row->cause, diag.text);
    cr_expect(strstr(diag.text, row->remedy) != NULL, "'%s' is not in: %s", row->remedy, diag.text);
    cr_expect(strstr(diag.text, "; ") != NULL || strstr(diag.text, ": ") != NULL, "one cause, one remedy: %s",
              diag.text);
}

#define LIBRARY(reason) .ssl_error = SSL_ERROR_SSL, .library_error = (uint32_t)(ERR_LIB_SSL << 24 | (reason))
#define ALERT(alert) LIBRARY(SSL_AD_REASON_OFFSET + (alert))
#define VERIFY(result) LIBRARY(SSL_R_CERTIFICATE_VERIFY_FAILED), .verify_result = (result)
#define SEEN \
    .server = {"a.example, 192.0.2.1", "CN=Another CA", 1577836800, 1609459200} /* 2020, of which nothing is left */
#define LATER .server = {"a.example", "CN=Another CA", 4102444800, 4133980800}  /* 2100 */

Test(tlsclient_explain, the_servers_certificate)
{
    static const struct row rows[] = {
        {{VERIFY(X509_V_ERR_HOSTNAME_MISMATCH), SEEN, .foreign = true},
         "is not for 'page.example' but for a.example, 192.0.2.1",
         "use a name that it has"},
        {{VERIFY(X509_V_ERR_IP_ADDRESS_MISMATCH), SEEN},
         "is not for 'page.example' but for",
         "'broker status' lists them"},
        {{VERIFY(X509_V_ERR_HOSTNAME_MISMATCH)}, "is not for 'page.example';", "use a name that it has"},
        {{VERIFY(X509_V_ERR_CERT_HAS_EXPIRED), SEEN},
         "certificate has expired on Jan  1 00:00:00 2021 GMT",
         "have the certificate renewed"},
        {{VERIFY(X509_V_ERR_CERT_HAS_EXPIRED), SEEN}, "this machine's clock says", "if that is wrong set it"},
        {{VERIFY(X509_V_ERR_CERT_NOT_YET_VALID), LATER},
         "is not valid yet: it begins on Jan  1 00:00:00 2100 GMT",
         "set the clock that is wrong"},
        {{VERIFY(X509_V_ERR_CERT_HAS_EXPIRED), LATER},
         "a certificate above the server's has expired",
         "have that CA's certificate renewed"},
        {{VERIFY(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY), SEEN, .foreign = true},
         "certificate verify failed: unable to get local issuer certificate (the server's is by CN=Another CA)",
         "--cacert has to name the CA that signed"},
        {{VERIFY(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY), SEEN},
         "not the one that the running broker started",
         "check the port"},
        {{VERIFY(X509_V_ERR_CERT_SIGNATURE_FAILURE), SEEN, .foreign = true}, "certificate verify failed", "--cacert"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i]);
}

Test(tlsclient_explain, the_servers_refusal)
{
    static const struct row rows[] = {
        {{ALERT(SSL_AD_CERTIFICATE_REQUIRED)}, "refused a client that showed no certificate", "have it ask for one"},
        {{ALERT(SSL_AD_UNKNOWN_CA)}, "refused the client certificate: alert 'unknown CA'", "'broker ca' prints it"},
        {{ALERT(SSL_AD_BAD_CERTIFICATE)}, "refused the client certificate: alert 'bad certificate'", "broker explain"},
        {{ALERT(SSL_AD_CERTIFICATE_REVOKED)}, "alert 'certificate revoked'", "ask whoever revoked it"},
        {{ALERT(SSL_AD_ACCESS_DENIED)}, "alert 'access denied'", "see the server's log"},
        {{ALERT(SSL_AD_CERTIFICATE_EXPIRED), .client_until = 4102444800},
         "is good until Jan  1 00:00:00 2100 GMT",
         "the server's clock is ahead"},
        {{ALERT(SSL_AD_CERTIFICATE_EXPIRED), .client_until = 1609459200},
         "is good until Jan  1 00:00:00 2021 GMT",
         "restart the broker for one"},
        {{ALERT(SSL_AD_PROTOCOL_VERSION)}, "does not speak TLS 1.3", "have the server's TLS updated"},
        {{ALERT(SSL_AD_NO_APPLICATION_PROTOCOL)}, "does not speak HTTP/1.1 there", "check the port"},
        {{ALERT(SSL_AD_UNRECOGNIZED_NAME)}, "no certificate for that name", "use a name that it has"},
        {{ALERT(SSL_AD_HANDSHAKE_FAILURE)}, "alert 'handshake failure'", "see the server's log"},
        {{ALERT(SSL_AD_UNKNOWN_CA), .certificate_requested = true, .certificate_withheld = true},
         "speaks TLS 1.2 and refused a client without a certificate",
         "have the server speak TLS 1.3"},
        {{.not_asked = true}, "did not ask for a client certificate", "lets anyone in"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i]);
}

Test(tlsclient_explain, what_is_no_such_server)
{
    static const struct row rows[] = {
        {{LIBRARY(SSL_R_WRONG_VERSION_NUMBER)},
         "does not speak TLS 1.3 there",
         "check the port: what answers may be plain HTTP"},
        {{LIBRARY(SSL_R_UNSUPPORTED_PROTOCOL)}, "but an older TLS", "have the server's TLS updated"},
        {{.ssl_error = SSL_ERROR_SYSCALL}, "closed the connection during the handshake", "see the server's log"},
        {{.ssl_error = SSL_ERROR_SYSCALL, .system_error = ECONNRESET}, "broke the connection", "see the server's log"},
        {{.refusal = REFUSAL_EXPIRED}, "keyd did not sign: ", "do something"},
        {{.handle_error = ERR_CLOSED}, "the handle was revoked, or keyd ended", "try again"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i]);
}
