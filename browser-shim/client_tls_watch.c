#include "browser-shim/client_tls_watch.h"

#include <openssl/ssl.h>
#include <string.h>

#include "base/clock.h"
#include "browser-shim/client_tls_internal.h"

enum { SERVER_HELLO = 2 };

static void report(void *context, bool from_client, int content_type, struct bytes data)
{
    struct client_tls *tls = context;
    if (data.len == 0) return;
    if (content_type < CLIENT_TLS_CHANGE_CIPHER_SPEC || content_type > CLIENT_TLS_HANDSHAKE) return; /* a record's */
    if (content_type == CLIENT_TLS_HANDSHAKE && data.data[0] != SERVER_HELLO && !from_client) tls->version_known = true;
    const struct client_tls_message message = {
        .from_client = from_client, .content_type = (uint8_t)content_type, .data = data};
    tls->watch.message(tls->watch.context, &message);
}

enum err client_tls_watch(struct client_tls *tls, const struct client_tls_watch *watch, struct diag *diag)
{
    static const uint8_t protocols[] = "\x02h2\x08http/1.1";
    const bool both = watch->versions == CLIENT_TLS_12_AND_13;
    tls->watch = *watch;
    tlsclient_watch(tls->tls, report, tls);
    enum err err =
        tlsclient_offer(tls->tls, both ? TLSCLIENT_12_AND_13 : TLSCLIENT_12_ALONE, protocols, sizeof protocols - 1);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "cannot prepare TLS: %s", err_name(err));
}

/* After our end many a server just closes, which is an end as good as another. */
static bool has_ended(const struct tlsclient_story *story)
{
    return story->ssl_error == SSL_ERROR_SYSCALL && story->library_error == 0 && story->system_error == 0;
}

enum err client_tls_part(struct client_tls *tls, struct diag *diag)
{
    const struct tlsclient_story *story = tlsclient_story(tls->tls);
    const uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_HANDSHAKE_MS;
    client_tls_close(tls);
    /* An HTTP/2 server has begun to speak. */
    while (clock_monotonic_ms() < deadline_ms) {
        uint8_t unread[1024];
        size_t len;
        enum tlsclient_wait wait;
        enum err err = tlsclient_read(tls->tls, unread, &len, sizeof unread, &wait);
        if (err == ERR_OK && len > 0) continue;
        if (err == ERR_OK || (err == ERR_CRYPTO && has_ended(story))) return ERR_OK;
        err = client_tls_wait_or_explain(tls, err, wait, deadline_ms, diag);
        if (err == ERR_TIMEOUT) break;
        if (err != ERR_OK) return err;
    }
    return diag_set(diag, ERR_TIMEOUT,
                    "the handshake is complete, but %s did not end the connection, so it is not known whether it takes "
                    "the client; see the server's log",
                    story->host);
}

void client_tls_outcome(struct client_tls_outcome *out, const struct client_tls *tls, bool whole)
{
    const SSL *ssl = tlsclient_ssl(tls->tls);
    const struct tlsclient_story *story = tlsclient_story(tls->tls);
    *out = (struct client_tls_outcome){.asked = story->certificate_requested};
    if (tls->version_known || whole) out->version = SSL_get_version(ssl);
    const SSL_SESSION *session = SSL_get_session(ssl);
    const STACK_OF(X509) *chain = SSL_get_peer_full_cert_chain(ssl);
    if (session != NULL && chain != NULL && sk_X509_num(chain) > 0) out->server = sk_X509_value(chain, 0);
    if (!whole) return;
    const uint8_t *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    if (alpn_len > 0 && alpn_len < sizeof out->alpn) memcpy(out->alpn, alpn, alpn_len); /* one of ours */
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    if (cipher != NULL) out->suite = SSL_CIPHER_standard_name(cipher);
    out->group = SSL_get_curve_name(SSL_get_curve_id(ssl));
    out->scheme = SSL_get_signature_algorithm_name(SSL_get_peer_signature_algorithm(ssl), 1);
    if (out->asked && !story->certificate_withheld) out->client = SSL_get_certificate(ssl);
}
