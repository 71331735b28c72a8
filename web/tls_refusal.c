#include "web/tls_refusal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "web/timestamp.h"
#include "web/tls_remedy.h"

static void write_certificate_reason(char *out, size_t out_len, int error, const struct certificate_text *text)
{
    char when[TIMESTAMP_SIZE];
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        snprintf(out, out_len, "certificate signed by an unknown CA (issuer %s)", text->issuer);
        return;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        /* What a client of an earlier run's CA looks like: same name, another key. */
        snprintf(out, out_len, "certificate signed by an unknown CA (issuer %s: the CA of that name has another key)",
                 text->issuer);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        timestamp_format(when, text->not_after, 0);
        snprintf(out, out_len, "certificate expired on %s (subject %s)", when, text->subject);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        timestamp_format(when, text->not_before, 0);
        snprintf(out, out_len, "certificate not valid before %s (subject %s)", when, text->subject);
        return;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(out, out_len, "certificate not for client authentication (extended key usage; subject %s)",
                 text->subject);
        return;
    default:
        snprintf(out, out_len, "certificate refused: %s (subject %s)", X509_verify_cert_error_string(error),
                 text->subject);
        return;
    }
}

void tls_refusal_certificate(char *out, size_t out_len, X509_STORE_CTX *store)
{
    struct certificate_text text = {0};
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (certificate != NULL && certificate_describe(&text, certificate) != ERR_OK) ERR_clear_error();
    write_certificate_reason(out, out_len, X509_STORE_CTX_get_error(store), &text);
}

/* Alerts from the client come as reasons from 1000 on (SSL_AD_REASON_OFFSET). */
static void explain_alert(struct tls_refusal *out, int alert)
{
    const char *name = SSL_alert_desc_string_long(alert);
    out->kind = HANDSHAKE_ALERT;
    out->remedy = tls_remedy_alert(alert);
    switch (alert) {
    case SSL_AD_CLOSE_NOTIFY:
    case SSL_AD_USER_CANCELLED:
        snprintf(out->reason, sizeof out->reason, "client gave up (alert: %s)", name);
        out->outcome = TLS_OUTCOME_ABORTED;
        out->kind = HANDSHAKE_ABORTED;
        return;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_CERTIFICATE_EXPIRED:
        snprintf(out->reason, sizeof out->reason, "client does not trust the server certificate (alert: %s)", name);
        return;
    default: snprintf(out->reason, sizeof out->reason, "client refused the handshake (alert: %s)", name);
    }
}

/* Clients of OpenSSL's that do not like the server's certificate say so in TLS 1.3 before they encrypt, and what
 * they say cannot be read any more. */
static void explain_plain_alert(struct tls_refusal *out)
{
    out->kind = HANDSHAKE_ALERT;
    out->remedy = tls_remedy_alert(SSL_AD_UNKNOWN_CA);
    snprintf(out->reason, sizeof out->reason,
             "client refused the handshake before it encrypted; most likely it does not trust the server certificate");
}

/* Reasons of BoringSSL's that a person can act on; the rest is passed on in its own words. */
static const char *reason_text(int reason, const SSL *ssl)
{
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "client sent no certificate";
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return "plain HTTP on the TLS port";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_INVALID_OUTER_RECORD_TYPE:
    case SSL_R_UNEXPECTED_RECORD: return "what the client sent is not TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
        return SSL_get_min_proto_version(ssl) == TLS1_3_VERSION ? "client speaks TLS 1.2 or older"
                                                                : "client speaks TLS 1.1 or older";
    case SSL_R_NO_SHARED_CIPHER:
        return "client offers no cipher suite with ECDHE, AEAD and the kind of key that the server has";
    case SSL_R_NO_SHARED_GROUP: return "client offers no group that this server takes";
    case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS: return "client takes no signature scheme that the server signs under";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "client offers no protocol in ALPN that this port speaks";
    case SSL_R_BAD_SIGNATURE: return "client could not prove that it has the key of its certificate";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE: return "client sent a message that is too long";
    default: return NULL;
    }
}

/* The queue holds the cause first and then where it was noticed, each in its library's words: the first that means
 * something to a person is taken, otherwise the first. */
static uint32_t pick_error(const SSL *ssl)
{
    uint32_t first = ERR_peek_error(), error;
    while ((error = ERR_get_error()) != 0) {
        int reason = ERR_GET_REASON(error);
        if (ERR_GET_LIB(error) == ERR_LIB_SSL && (reason >= SSL_AD_REASON_OFFSET || reason_text(reason, ssl) != NULL))
            return error;
    }
    return first;
}

static void explain_library(struct tls_refusal *out, const SSL *ssl, const struct tls_handshake *handshake)
{
    uint32_t error = pick_error(ssl);
    int reason = ERR_GET_REASON(error);
    bool from_ssl = ERR_GET_LIB(error) == ERR_LIB_SSL;
    const char *text = from_ssl ? reason_text(reason, ssl) : NULL;
    out->outcome = TLS_OUTCOME_REFUSED;
    out->kind =
        from_ssl && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ? HANDSHAKE_NO_CERTIFICATE : HANDSHAKE_PROTOCOL;
    out->remedy = tls_remedy_library(from_ssl ? reason : 0);
    if (handshake->refused[0] != '\0') {
        out->kind = HANDSHAKE_CERTIFICATE;
        snprintf(out->reason, sizeof out->reason, "%s", handshake->refused);
        out->remedy = tls_remedy_certificate(handshake->refused_error);
    } else if (handshake->signer.failure != NULL) {
        out->kind = HANDSHAKE_SIGNATURE;
        snprintf(out->reason, sizeof out->reason, "no signature from keyd: %s", handshake->signer.failure);
        out->remedy = TLS_REMEDY_KEYD;
    } else if (from_ssl && reason >= SSL_AD_REASON_OFFSET) {
        explain_alert(out, reason - SSL_AD_REASON_OFFSET);
    } else if (text != NULL) {
        snprintf(out->reason, sizeof out->reason, "%s", text);
    } else if (handshake->read_alert) {
        explain_plain_alert(out);
    } else {
        snprintf(out->reason, sizeof out->reason, "TLS error: %s", ERR_reason_error_string(error));
    }
}

void tls_refusal_handshake(struct tls_refusal *out, const SSL *ssl, const struct tls_handshake *handshake,
                           int ssl_error)
{
    *out = (struct tls_refusal){.outcome = TLS_OUTCOME_ABORTED, .kind = HANDSHAKE_ABORTED, .remedy = TLS_REMEDY_LEFT};
    if (ssl_error == SSL_ERROR_SSL && ERR_peek_error() != 0)
        explain_library(out, ssl, handshake);
    else if (BIO_number_read(SSL_get_rbio(ssl)) == 0)
        out->outcome = TLS_OUTCOME_UNUSED;
    else
        snprintf(out->reason, sizeof out->reason, "client closed the connection during the handshake");
    ERR_clear_error();
}
