#include "tlsclient/explain.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/clock.h"

static enum err explain_handle(const struct tlsclient_story *story, const struct tlsclient_words *words,
                               struct diag *diag)
{
    if (story->refusal == REFUSAL_SERVER && story->foreign) {
        return diag_set(diag, ERR_DENIED,
                        "keyd did not sign: it takes %s for another server than '%s', or its certificate has a key or "
                        "signature that keyd does not take (RSA below 2048 bits, SHA-1, P-521)",
                        story->host, story->host);
    }
    if (story->refusal != REFUSAL_NONE) {
        return diag_set(diag, ERR_DENIED, "keyd did not sign: %s; %s", refusal_text(story->refusal),
                        words->remedy(story->refusal));
    }
    if (story->handle_error == ERR_TOO_LARGE) {
        return diag_set(
            diag, ERR_TOO_LARGE,
            "%s has a handshake of more than %u bytes, which keyd does not read; have the server send fewer "
            "certificates, or name fewer CAs in its request for ours",
            story->host, LIMIT_CLIENT_TRANSCRIPT);
    }
    if (story->handle_error == ERR_CLOSED && story->foreign) {
        return diag_set(
            diag, ERR_CLOSED,
            "the handle ended before keyd signed: keyd takes no such CA or name, or the handle was revoked; "
            "see what the broker logs");
    }
    if (story->handle_error == ERR_CLOSED) {
        return diag_set(diag, ERR_CLOSED, "the handle was revoked, or keyd ended, before it signed; try again");
    }
    return diag_set(diag, story->handle_error, "the handle does not work: %s", err_name(story->handle_error));
}

/* ---- The server's certificate ------------------------------------------------------------------------------------ */

static enum err explain_name(const struct tlsclient_story *story, struct diag *diag)
{
    const bool named = story->server.names[0] != '\0';
    return diag_set(diag, ERR_DENIED, "the server's certificate is not for '%s'%s%s; use a name that it has%s",
                    story->host, named ? " but for " : "", story->server.names,
                    story->foreign ? "" : " ('broker status' lists them)");
}

/* Nobody can tell from here whose clock is wrong; both times side by side, a person can. */
static enum err explain_time(const struct tlsclient_story *story, struct diag *diag)
{
    char limit[TLSCLIENT_TIME], now[TLSCLIENT_TIME];
    const uint64_t now_s = clock_wall_s();
    const bool early = story->verify_result == X509_V_ERR_CERT_NOT_YET_VALID;
    const uint64_t limit_s = early ? story->server.not_before : story->server.not_after;
    tlsclient_time_text(limit, limit_s);
    tlsclient_time_text(now, now_s);
    /* Of a chain the leaf is what is known. */
    if (limit_s == 0 || (early ? limit_s <= now_s : limit_s >= now_s)) {
        return diag_set(
            diag, ERR_DENIED,
            "%s: a certificate above the server's %s; this machine's clock says %s: if that is wrong set it, "
            "otherwise have that CA's certificate renewed",
            story->host, early ? "is not valid yet" : "has expired", now);
    }
    if (early) {
        return diag_set(
            diag, ERR_DENIED,
            "%s: the server's certificate is not valid yet: it begins on %s, and this machine's clock says %s; "
            "set the clock that is wrong, this one's or that of the CA",
            story->host, limit, now);
    }
    return diag_set(
        diag, ERR_DENIED,
        "%s: the server's certificate has expired on %s; this machine's clock says %s: if that is wrong set "
        "it, otherwise have the certificate renewed",
        story->host, limit, now);
}

static enum err explain_chain(const struct tlsclient_story *story, const struct tlsclient_words *words,
                              struct diag *diag)
{
    const char *why = X509_verify_cert_error_string(story->verify_result);
    const bool known = story->server.issuer[0] != '\0';
    const char *open = known ? " (the server's is by " : "", *close = known ? ")" : "";
    if (story->foreign) {
        return diag_set(diag, ERR_DENIED,
                        "%s: certificate verify failed: %s%s%s%s; %s has to name the CA that signed the server's "
                        "certificate",
                        story->host, why, open, story->server.issuer, close, words->ca_option);
    }
    return diag_set(
        diag, ERR_DENIED,
        "%s: certificate verify failed: %s%s%s%s; the server is not the one that the running broker started: "
        "check the port, and for a server of other people name its CA with %s",
        story->host, why, open, story->server.issuer, close, words->ca_option);
}

static enum err explain_server_certificate(const struct tlsclient_story *story, const struct tlsclient_words *words,
                                           struct diag *diag)
{
    switch (story->verify_result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return explain_name(story, diag);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return explain_time(story, diag);
    default: return explain_chain(story, words, diag);
    }
}

/* ---- Alerts ------------------------------------------------------------------------------------------------------ */

static enum err explain_expired_client(const struct tlsclient_story *story, struct diag *diag)
{
    char until[TLSCLIENT_TIME], now[TLSCLIENT_TIME];
    const uint64_t now_s = clock_wall_s();
    tlsclient_time_text(until, story->client_until);
    tlsclient_time_text(now, now_s);
    return diag_set(diag, ERR_DENIED,
                    "%s refused the client certificate: alert 'certificate expired'; it is good until %s, and this "
                    "machine's clock says %s: %s",
                    story->host, until, now,
                    story->client_until > now_s ? "the server's clock is ahead; set it"
                                                : "bring a new certificate, or restart the broker for one");
}

static const char *client_remedy(int alert)
{
    switch (alert) {
    case SSL_AD_UNKNOWN_CA: return "have the server trust the running broker's CA ('broker ca' prints it)";
    case SSL_AD_CERTIFICATE_REVOKED: return "ask whoever revoked it; a new one comes with the broker's next start";
    case SSL_AD_ACCESS_DENIED: return "the certificate is good, but its owner may not; see the server's log";
    default:
        return "the server has to trust the running broker's CA ('broker ca' prints it); see its log, or broker "
               "explain";
    }
}

/* An alert from the other side: BoringSSL's reason is SSL_AD_REASON_OFFSET and the alert's number (RFC 8446, 6). */
static enum err explain_alert(const struct tlsclient_story *story, int alert, struct diag *diag)
{
    const char *name = SSL_alert_desc_string_long(alert);
    switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
        return diag_set(diag, ERR_DENIED,
                        "%s refused: it does not speak %s, and this client speaks nothing else; have the server's TLS "
                        "updated, 'browser-shim trace' shows what it has",
                        story->host, story->versions);
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return diag_set(diag, ERR_DENIED, "%s refused: it does not speak HTTP/1.1 there; check the port", story->host);
    case SSL_AD_CERTIFICATE_REQUIRED:
        return diag_set(diag, ERR_DENIED,
                        "%s refused a client that showed no certificate; have it ask for one before it refuses, in TLS "
                        "1.3, which is what the handle signs",
                        story->host);
    case SSL_AD_CERTIFICATE_EXPIRED:
        if (story->client_until != 0) return explain_expired_client(story, diag);
        break;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED: break;
    case SSL_AD_UNRECOGNIZED_NAME:
        return diag_set(diag, ERR_DENIED, "%s refused: it has no certificate for that name; use a name that it has",
                        story->host);
    default: return diag_set(diag, ERR_DENIED, "%s refused: alert '%s'; see the server's log", story->host, name);
    }
    return diag_set(diag, ERR_DENIED, "%s refused the client certificate: alert '%s'; %s", story->host, name,
                    client_remedy(alert));
}

static bool is_alert(uint32_t error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET;
}

static enum err explain_library(const struct tlsclient_story *story, const struct tlsclient_words *words,
                                struct diag *diag)
{
    const uint32_t error = story->library_error;
    const char *text = ERR_reason_error_string(error);
    const int reason = ERR_GET_REASON(error);
    if (is_alert(error)) {
        return explain_alert(story, reason - SSL_AD_REASON_OFFSET, diag);
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return explain_server_certificate(story, words, diag);
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_WRONG_VERSION_NUMBER) {
        return diag_set(
            diag, ERR_CRYPTO,
            "%s does not speak %s there; check the port: what answers may be plain HTTP, or another service",
            story->host, story->versions);
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_UNSUPPORTED_PROTOCOL) {
        return diag_set(
            diag, ERR_CRYPTO,
            "%s does not speak %s there, but an older TLS; have the server's TLS updated, 'browser-shim trace' "
            "shows what it has",
            story->host, story->versions);
    }
    return diag_set(diag, ERR_CRYPTO, "%s: TLS failed: %s", story->host, text != NULL ? text : "unknown reason");
}

static enum err explain_end(const struct tlsclient_story *story, struct diag *diag)
{
    const char *when = story->connected ? "before its answer was complete" : "during the handshake";
    if (story->system_error == ECONNRESET || story->system_error == EPIPE) {
        return diag_set(diag, ERR_CLOSED, "%s broke the connection %s; see the server's log", story->host, when);
    }
    if (story->system_error != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: connection lost: %s", story->host, strerror(story->system_error));
    }
    return diag_set(diag, ERR_CLOSED, "%s closed the connection %s; see the server's log", story->host, when);
}

static enum err explain_withheld(const struct tlsclient_story *story, struct diag *diag)
{
    return diag_set(diag, ERR_DENIED,
                    "%s speaks TLS 1.2 and refused a client without a certificate; the handle signs TLS 1.3 alone, so "
                    "none was sent; have the server speak TLS 1.3",
                    story->host);
}

static enum err explain_not_asked(const struct tlsclient_story *story, struct diag *diag)
{
    return diag_set(diag, ERR_DENIED, "%s did not ask for a client certificate: this is not %s, or it lets anyone in",
                    story->host, story->foreign ? "the server that wants one" : "Keyward's page");
}

enum err tlsclient_explain(const struct tlsclient_story *story, const struct tlsclient_words *words, struct diag *diag)
{
    const uint32_t error = story->library_error;
    if (story->refusal != REFUSAL_NONE || story->handle_error != ERR_OK) return explain_handle(story, words, diag);
    if (story->not_asked) return explain_not_asked(story, diag);
    if (story->certificate_withheld && (error == 0 || is_alert(error))) return explain_withheld(story, diag);
    if (story->ssl_error == SSL_ERROR_SYSCALL && error == 0) return explain_end(story, diag);
    return explain_library(story, words, diag);
}
