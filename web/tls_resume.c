#include "web/tls_resume.h"

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void tls_resume_forbid(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
}

void tls_resume_limit(SSL *ssl)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    if (session != NULL) SSL_SESSION_set_timeout(session, LIMIT_TICKET_LIFETIME_S);
}

/* Whether the owner of a session with this chain may come to this listener without showing its key again: X509_V_OK, or why
 * not, an X509_V_ERR_... and in words. */
static int judge(struct certificate_text *out, struct lineage **out_lineage, char reason[CLIENTS_REASON], SSL *ssl,
                 const struct tls_handshake *handshake, const STACK_OF(CRYPTO_BUFFER) * chain)
{
    struct clients *clients = tls_clients(SSL_get_SSL_CTX(ssl));
    const bool is_anonymous = chain == NULL || sk_CRYPTO_BUFFER_num(chain) == 0;
    if (handshake->mode == (is_anonymous ? TLS_MODE_MUTUAL : TLS_MODE_SERVER)) {
        snprintf(reason, CLIENTS_REASON, "the session is of a listener that asks for something else");
        return X509_V_ERR_APPLICATION_VERIFICATION;
    }
    if (is_anonymous) return X509_V_OK;
    const int error =
        clients_verify(out, out_lineage, reason, clients, chain, handshake->revoked, (uint64_t)time(NULL));
    if (error != X509_V_OK || !clients_is_own(clients, out)) return error;
    snprintf(reason, CLIENTS_REASON, "a session of keyd's own client is not resumed");
    return X509_V_ERR_APPLICATION_VERIFICATION;
}

static size_t max_overhead(SSL *ssl)
{
    (void)ssl;
    return TICKETS_OVERHEAD;
}

static int seal(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out, const uint8_t *in, size_t in_len)
{
    const struct tls_handshake *handshake = SSL_get_app_data(ssl);
    if (handshake == NULL || handshake->tickets == NULL || max_out < in_len + TICKETS_OVERHEAD) return 0;
    *out_len = in_len + TICKETS_OVERHEAD;
    return tickets_seal(handshake->tickets, out, (struct bytes){in, in_len}) == ERR_OK;
}

/* What is not resumed becomes a full handshake. BoringSSL looks at the session's context, age, version and suite itself. */
static enum ssl_ticket_aead_result_t open_ticket(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 const uint8_t *in, size_t in_len)
{
    const struct tls_handshake *handshake = SSL_get_app_data(ssl);
    struct certificate_text certificate;
    struct lineage *lineage = NULL;
    char reason[CLIENTS_REASON];
    if (handshake == NULL || handshake->tickets == NULL || max_out < in_len || SSL_version(ssl) != TLS1_3_VERSION)
        return ssl_ticket_aead_ignore_ticket;
    if (tickets_open(handshake->tickets, out, out_len, (struct bytes){in, in_len}) != ERR_OK)
        return ssl_ticket_aead_ignore_ticket;
    SSL_SESSION *session = SSL_SESSION_from_bytes(out, *out_len, SSL_get_SSL_CTX(ssl));
    const bool good = session != NULL && judge(&certificate, &lineage, reason, ssl, handshake,
                                               SSL_SESSION_get0_peer_certificates(session)) == X509_V_OK;
    SSL_SESSION_free(session);
    lineage_free(lineage);
    ERR_clear_error();
    return good ? ssl_ticket_aead_success : ssl_ticket_aead_ignore_ticket;
}

void tls_resume_context(SSL_CTX *context)
{
    static const SSL_TICKET_AEAD_METHOD method = {.max_overhead = max_overhead, .seal = seal, .open = open_ticket};
    SSL_CTX_set_ticket_aead_method(context, &method);
    SSL_CTX_set_session_psk_dhe_timeout(context, LIMIT_TICKET_LIFETIME_S);
    SSL_CTX_set_early_data_enabled(context, 0);
}

enum err tls_resume_bind(SSL *ssl, const struct tls_handshake *handshake)
{
    uint8_t id[SSL_MAX_SID_CTX_LENGTH];
    const SSL_CTX *context = SSL_get_SSL_CTX(ssl);
    const uint8_t *server = tls_servers_fingerprint(context, handshake);
    _Static_assert(sizeof id == SHA256_DIGEST_LENGTH, "a session's context is a hash");
    clients_digest(id, tls_clients(context));
    id[0] ^= (uint8_t)handshake->mode;
    for (size_t i = 0; i < sizeof id; i++) id[i] ^= server[i];
    return SSL_set_session_id_context(ssl, id, sizeof id) ? ERR_OK : ERR_CRYPTO;
}

enum err tls_resume_begin(SSL *ssl, const struct tls_handshake *handshake)
{
    const bool resumes = handshake->tickets != NULL && tickets_ready(handshake->tickets);
    enum err err = tls_resume_bind(ssl, handshake);
    if (err != ERR_OK) return err;
    if (!resumes) tls_resume_forbid(ssl);
    /* Without tickets nobody needs the certificates: verify_client keeps their text. */
    SSL_set_retain_only_sha256_of_client_certs(ssl, !resumes);
    return ERR_OK;
}

bool tls_resume_judge(SSL *ssl, struct tls_handshake *handshake)
{
    if (!SSL_session_reused(ssl)) return true;
    const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
    *handshake->certificate = (struct certificate_text){0};
    handshake->refused_error =
        judge(handshake->certificate, handshake->lineage, handshake->refused, ssl, handshake, chain);
    if (handshake->refused_error != X509_V_OK) return false;
    if (chain != NULL && sk_CRYPTO_BUFFER_num(chain) > 0) tls_keep_leaf(handshake, chain);
    return true;
}
