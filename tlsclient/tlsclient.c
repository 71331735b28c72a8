#include "tlsclient/tlsclient.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/certificate.h"
#include "tlsclient/server.h"
#include "tlsclient/signer_internal.h"

struct tlsclient {
    SSL *ssl;
    struct tlsclient_signer *signer;
    struct signing signing;
    void (*signed_one)(void *context);
    void *context;
    void (*watch)(void *context, bool from_client, int content_type, struct bytes data); /* NULL: nobody looks */
    void *watch_context;
    struct tlsclient_story story;
    char host[LIMIT_NAME + 1]; /* the story's */
    /* The handshake's messages so far, each with its header, for keyd to see what it signs. NULL: it is over. */
    uint8_t *messages;
    size_t messages_len;
    bool messages_overflow;
};

static void forget_messages(struct tlsclient *tls)
{
    free(tls->messages);
    tls->messages = NULL;
    tls->messages_len = 0;
}

/* BoringSSL calls this for each message, read or written; keyd needs nothing of it after it has signed. */
static void collect_message(int is_write, int version, int content_type, const void *data, size_t len, SSL *ssl,
                            void *arg)
{
    (void)version;
    (void)ssl;
    struct tlsclient *tls = arg;
    if (tls->watch != NULL) tls->watch(tls->watch_context, is_write != 0, content_type, (struct bytes){data, len});
    if (content_type != SSL3_RT_HANDSHAKE || tls->messages == NULL) return;
    if (len > LIMIT_CLIENT_TRANSCRIPT - tls->messages_len) {
        tls->messages_overflow = true;
        return;
    }
    memcpy(tls->messages + tls->messages_len, data, len);
    tls->messages_len += len;
}

/* ---- The key, which is in keyd ----------------------------------------------------------------------------------- */

static enum ssl_private_key_result_t key_sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out, uint16_t scheme,
                                              const uint8_t *in, size_t in_len)
{
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in; /* keyd makes its own of the messages */
    (void)in_len;
    struct tlsclient *tls = SSL_get_app_data(ssl);
    tls->signing.scheme = scheme;
    tls->signing.messages = (struct bytes){tls->messages, tls->messages_len};
    tls->signing.done = tls->signed_one;
    tls->signing.context = tls->context;
    tls->story.handle_error = tls->messages_overflow ? ERR_TOO_LARGE : signing_begin(&tls->signing, tls->signer);
    if (tls->story.handle_error == ERR_OK) return ssl_private_key_retry;
    tls->story.refusal = tlsclient_signer_refusal(tls->signer);
    return ssl_private_key_failure;
}

static enum ssl_private_key_result_t key_decrypt(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 const uint8_t *in, size_t in_len)
{
    /* Only RSA key exchange decrypts, which TLS 1.3 does not have. */
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    return ssl_private_key_failure;
}

static enum ssl_private_key_result_t key_complete(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    struct tlsclient *tls = SSL_get_app_data(ssl);
    if (tls->signing.signer != NULL) return ssl_private_key_retry;
    tls->story.handle_error = tls->signing.err;
    tls->story.refusal = tls->signing.refusal;
    if (tls->signing.len == 0 || tls->signing.len > max_out) return ssl_private_key_failure;
    memcpy(out, tls->signing.signature, tls->signing.len);
    *out_len = tls->signing.len;
    return ssl_private_key_success;
}

static const SSL_PRIVATE_KEY_METHOD key_method = {.sign = key_sign, .decrypt = key_decrypt, .complete = key_complete};

/* BoringSSL calls this when the server has asked for a certificate. */
static int note_request(SSL *ssl, void *arg)
{
    struct tlsclient *tls = arg;
    tls->story.certificate_requested = true;
    tls->story.certificate_withheld = SSL_version(ssl) != TLS1_3_VERSION;
    if (tls->story.certificate_withheld) SSL_certs_clear(ssl);
    return 1;
}

/* ---- Preparing --------------------------------------------------------------------------------------------------- */

/* The name, or the IP address, is checked with the chain. */
static bool expect_name(SSL *ssl, const struct tlsclient_server *server)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    /* RFC 9525, 2: no common names; 6.3: a wildcard is a whole label. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (server->is_ip) return X509_VERIFY_PARAM_set1_ip_asc(param, server->host);
    return X509_VERIFY_PARAM_set1_host(param, server->host, strlen(server->host)) &&
           SSL_set_tlsext_host_name(ssl, server->host); /* RFC 6066, 3: names only */
}

enum err tlsclient_new(struct tlsclient **out, const struct tlsclient_server *server, struct tlsclient_signer *signer,
                       int fd, void (*signed_one)(void *context), void *context)
{
    *out = NULL;
    struct tlsclient *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return ERR_MEMORY;
    tls->signer = signer;
    tls->signed_one = signed_one;
    tls->context = context;
    memcpy(tls->host, server->host, sizeof tls->host);
    tls->story.host = tls->host;
    tls->story.foreign = server->foreign;
    tls->story.versions = "TLS 1.3";
    tls->messages = malloc(LIMIT_CLIENT_TRANSCRIPT);
    tls->ssl = SSL_new(server->ctx);
    if (tls->messages == NULL || tls->ssl == NULL || !SSL_set_app_data(tls->ssl, tls) || !SSL_set_fd(tls->ssl, fd) ||
        !expect_name(tls->ssl, server)) {
        tlsclient_free(tls);
        return ERR_CRYPTO;
    }
    SSL_set_connect_state(tls->ssl);
    SSL_set_private_key_method(tls->ssl, &key_method);
    SSL_set_cert_cb(tls->ssl, note_request, tls);
    SSL_set_msg_callback(tls->ssl, collect_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    *out = tls;
    return ERR_OK;
}

void tlsclient_free(struct tlsclient *tls)
{
    if (tls == NULL) return;
    signing_give_up(&tls->signing);
    SSL_free(tls->ssl);
    forget_messages(tls);
    free(tls);
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

/* What went wrong earlier must not explain what goes wrong now. */
static void forget_errors(void)
{
    ERR_clear_error();
    errno = 0;
}

/* Who shows which certificate is what people ask first when a handshake fails. */
static void note_certificates(struct tlsclient *tls)
{
    struct certificate_text text;
    tlsclient_leaf_read(&tls->story.server, tls->ssl);
    const X509 *own = SSL_get_certificate(tls->ssl);
    const bool known = own != NULL && certificate_describe(&text, own) == ERR_OK;
    tls->story.client_until = known ? text.not_after : 0;
}

/* What a call of BoringSSL that returned result, which is no success, means. */
static enum err outcome(struct tlsclient *tls, int result, enum tlsclient_wait *out_wait)
{
    int error = SSL_get_error(tls->ssl, result);
    switch (error) {
    case SSL_ERROR_WANT_READ: *out_wait = TLSCLIENT_WAITS_READ; return ERR_AGAIN;
    case SSL_ERROR_WANT_WRITE: *out_wait = TLSCLIENT_WAITS_WRITE; return ERR_AGAIN;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION: *out_wait = TLSCLIENT_WAITS_SIGNATURE; return ERR_AGAIN;
    default: break;
    }
    tls->story.system_error = errno;
    tls->story.ssl_error = error;
    tls->story.library_error = ERR_peek_error();
    tls->story.verify_result = SSL_get_verify_result(tls->ssl);
    if (error == SSL_ERROR_SSL) note_certificates(tls);
    return ERR_CRYPTO;
}

enum err tlsclient_handshake(struct tlsclient *tls, enum tlsclient_wait *out_wait)
{
    forget_errors();
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) return outcome(tls, result, out_wait);
    forget_messages(tls);
    tls->story.connected = true;
    tls->story.not_asked = !tls->story.certificate_requested && tls->watch == NULL;
    return tls->story.not_asked ? ERR_CRYPTO : ERR_OK;
}

static enum err take(struct tlsclient *tls, int result, size_t *out_len, enum tlsclient_wait *out_wait)
{
    *out_len = result > 0 ? (size_t)result : 0;
    if (result > 0 || SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN) return ERR_OK;
    return outcome(tls, result, out_wait);
}

static int one_record(size_t len)
{
    return len < SSL3_RT_MAX_PLAIN_LENGTH ? (int)len : SSL3_RT_MAX_PLAIN_LENGTH;
}

enum err tlsclient_read(struct tlsclient *tls, uint8_t *out, size_t *out_len, size_t cap, enum tlsclient_wait *out_wait)
{
    forget_errors();
    return take(tls, SSL_read(tls->ssl, out, one_record(cap)), out_len, out_wait);
}

enum err tlsclient_peek(struct tlsclient *tls, uint8_t *out, size_t *out_len, size_t cap, enum tlsclient_wait *out_wait)
{
    forget_errors();
    return take(tls, SSL_peek(tls->ssl, out, one_record(cap)), out_len, out_wait);
}

enum err tlsclient_write(struct tlsclient *tls, size_t *out_len, struct bytes data, enum tlsclient_wait *out_wait)
{
    forget_errors();
    int result = SSL_write(tls->ssl, data.data, one_record(data.len));
    *out_len = result > 0 ? (size_t)result : 0;
    return result > 0 ? ERR_OK : outcome(tls, result, out_wait);
}

bool tlsclient_has_unread(const struct tlsclient *tls)
{
    return SSL_pending(tls->ssl) > 0;
}

void tlsclient_end(struct tlsclient *tls)
{
    forget_errors();
    (void)SSL_shutdown(tls->ssl); /* one way: the answer is not waited for */
}

const struct tlsclient_story *tlsclient_story(const struct tlsclient *tls)
{
    return &tls->story;
}

/* ---- For who looks ----------------------------------------------------------------------------------------------- */

void tlsclient_watch(struct tlsclient *tls,
                     void (*message)(void *context, bool from_client, int content_type, struct bytes data),
                     void *context)
{
    tls->watch = message;
    tls->watch_context = context;
}

enum err tlsclient_offer(struct tlsclient *tls, enum tlsclient_versions versions, const uint8_t *protocols,
                         size_t protocols_len)
{
    /* With forward secrecy alone, like those of TLS 1.3. */
    static const char suites[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305";
    /* What keyd verifies, and RSA as servers of TLS 1.2 sign with it. */
    static const uint16_t schemes[] = {
        SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA256,
        SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_ED25519,
        SSL_SIGN_RSA_PKCS1_SHA256,       SSL_SIGN_RSA_PKCS1_SHA384,       SSL_SIGN_RSA_PKCS1_SHA512};
    const bool both = versions == TLSCLIENT_12_AND_13;
    tls->story.versions = both ? "TLS 1.2 or 1.3" : "TLS 1.2";
    return SSL_set_min_proto_version(tls->ssl, TLS1_2_VERSION) &&
                   SSL_set_max_proto_version(tls->ssl, both ? TLS1_3_VERSION : TLS1_2_VERSION) &&
                   SSL_set_strict_cipher_list(tls->ssl, suites) &&
                   SSL_set_verify_algorithm_prefs(tls->ssl, schemes, sizeof schemes / sizeof *schemes) &&
                   SSL_set_alpn_protos(tls->ssl, protocols, protocols_len) == 0
               ? ERR_OK
               : ERR_CRYPTO;
}

SSL *tlsclient_ssl(const struct tlsclient *tls)
{
    return tls->ssl;
}
