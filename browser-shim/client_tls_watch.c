#include "browser-shim/client_tls_watch.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "base/clock.h"
#include "browser-shim/client_tls_internal.h"

/* With forward secrecy alone, like those of TLS 1.3. */
#define CIPHERS                                                                                  \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:" \
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"

enum { SERVER_HELLO = 2 };

void client_tls_report(struct client_tls *tls, bool from_client, int content_type, struct bytes data)
{
    if (tls->watch.message == NULL || data.len == 0) return;
    if (content_type < CLIENT_TLS_CHANGE_CIPHER_SPEC || content_type > CLIENT_TLS_HANDSHAKE) return; /* a record's */
    if (content_type == CLIENT_TLS_HANDSHAKE && data.data[0] != SERVER_HELLO && !from_client) tls->version_known = true;
    const struct client_tls_message message = {
        .from_client = from_client, .content_type = (uint8_t)content_type, .data = data};
    tls->watch.message(tls->watch.context, &message);
}

enum err client_tls_watch(struct client_tls *tls, const struct client_tls_watch *watch, struct diag *diag)
{
    static const uint8_t protocols[] = "\x02h2\x08http/1.1";
    /* What keyd verifies, and RSA as servers of TLS 1.2 sign with it. */
    static const uint16_t schemes[] = {
        SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA256,
        SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_ED25519,
        SSL_SIGN_RSA_PKCS1_SHA256,       SSL_SIGN_RSA_PKCS1_SHA384,       SSL_SIGN_RSA_PKCS1_SHA512};
    const bool both = watch->versions == CLIENT_TLS_12_AND_13;
    tls->watch = *watch;
    tls->story.versions = both ? "TLS 1.2 or 1.3" : "TLS 1.2";
    if (SSL_set_min_proto_version(tls->ssl, TLS1_2_VERSION) &&
        SSL_set_max_proto_version(tls->ssl, both ? TLS1_3_VERSION : TLS1_2_VERSION) &&
        SSL_set_strict_cipher_list(tls->ssl, CIPHERS) &&
        SSL_set_verify_algorithm_prefs(tls->ssl, schemes, sizeof schemes / sizeof *schemes) &&
        SSL_set_alpn_protos(tls->ssl, protocols, sizeof protocols - 1) == 0)
        return ERR_OK;
    return diag_set(diag, ERR_CRYPTO, "cannot prepare TLS: %s", client_tls_reason());
}

/* After our end many a server just closes, which is an end as good as another. */
static bool has_ended(int ssl_error)
{
    return ssl_error == SSL_ERROR_ZERO_RETURN ||
           (ssl_error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0 && errno == 0);
}

enum err client_tls_part(struct client_tls *tls, struct diag *diag)
{
    const uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_HANDSHAKE_MS;
    client_tls_close(tls);
    /* An HTTP/2 server has begun to speak. */
    while (clock_monotonic_ms() < deadline_ms) {
        uint8_t unread[1024];
        client_tls_forget_errors();
        int result = SSL_read(tls->ssl, unread, sizeof unread);
        if (result > 0) continue;
        if (has_ended(SSL_get_error(tls->ssl, result))) return ERR_OK;
        enum err err = client_tls_wait_or_explain(tls, result, deadline_ms, diag);
        if (err == ERR_TIMEOUT) break;
        if (err != ERR_OK) return err;
    }
    return diag_set(diag, ERR_TIMEOUT,
                    "the handshake is complete, but %s did not end the connection, so it is not known whether it takes "
                    "the client; see the server's log",
                    tls->story.host);
}

void client_tls_outcome(struct client_tls_outcome *out, const struct client_tls *tls, bool whole)
{
    *out = (struct client_tls_outcome){.asked = tls->story.certificate_requested};
    if (tls->version_known) out->version = SSL_get_version(tls->ssl);
    const SSL_SESSION *session = SSL_get_session(tls->ssl);
    const STACK_OF(X509) *chain = SSL_get_peer_full_cert_chain(tls->ssl);
    if (session != NULL && chain != NULL && sk_X509_num(chain) > 0) out->server = sk_X509_value(chain, 0);
    if (!whole) return;
    const uint8_t *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_len);
    if (alpn_len > 0 && alpn_len < sizeof out->alpn) memcpy(out->alpn, alpn, alpn_len); /* one of ours */
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    if (cipher != NULL) out->suite = SSL_CIPHER_standard_name(cipher);
    out->group = SSL_get_curve_name(SSL_get_curve_id(tls->ssl));
    out->scheme = SSL_get_signature_algorithm_name(SSL_get_peer_signature_algorithm(tls->ssl), 1);
    if (out->asked && !tls->story.certificate_withheld) out->client = SSL_get_certificate(tls->ssl);
}
