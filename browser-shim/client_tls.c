#include "browser-shim/client_tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* BoringSSL calls this for each message, read or written; keyd needs nothing of it after it has signed. */
static void collect_message(int is_write, int version, int content_type, const void *data, size_t len, SSL *ssl,
                            void *arg)
{
    (void)version;
    (void)ssl;
    struct client_tls *tls = arg;
    client_tls_report(tls, is_write != 0, content_type, (struct bytes){data, len});
    if (content_type != SSL3_RT_HANDSHAKE) return;
    if (len > sizeof tls->messages - tls->messages_len) {
        tls->messages_overflow = true;
        return;
    }
    memcpy(tls->messages + tls->messages_len, data, len);
    tls->messages_len += len;
}

/* ---- The key, which is in keyd ---------------------------------------------------------------------------------- */

static enum ssl_private_key_result_t key_sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out, uint16_t scheme,
                                              const uint8_t *in, size_t in_len)
{
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in; /* keyd makes its own of the messages */
    (void)in_len;
    struct client_tls *tls = SSL_get_app_data(ssl);
    struct msg request = {.kind = MSG_SIGN_TLS13_CLIENT, .id = ++tls->request};
    request.sign_tls13_client.scheme = scheme;
    request.sign_tls13_client.messages = (struct bytes){tls->messages, tls->messages_len};
    tls->story.handle_error = tls->messages_overflow ? ERR_TOO_LARGE : link_send(&tls->handle, &request, NULL, 0);
    if (tls->story.handle_error == ERR_CLOSED) return ssl_private_key_retry; /* keyd may have left a last word */
    return tls->story.handle_error == ERR_OK ? ssl_private_key_retry : ssl_private_key_failure;
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
    struct client_tls *tls = SSL_get_app_data(ssl);
    struct msg answer;
    struct packet_extra extra;
    do {
        enum err err = link_recv(&tls->handle, &answer, &extra, tls->arena);
        if (err == ERR_AGAIN) return ssl_private_key_retry;
        tls->story.handle_error = err;
        if (err != ERR_OK) return ssl_private_key_failure;
    } while (answer.id != tls->request && !(answer.kind == MSG_REFUSAL && answer.id == 0));
    if (answer.kind == MSG_REFUSAL) tls->story.refusal = answer.refusal;
    if (answer.kind != MSG_SIGNATURE || answer.signature.len > max_out) return ssl_private_key_failure;
    memcpy(out, answer.signature.data, answer.signature.len);
    *out_len = answer.signature.len;
    return ssl_private_key_success;
}

static const SSL_PRIVATE_KEY_METHOD key_method = {.sign = key_sign, .decrypt = key_decrypt, .complete = key_complete};

/* BoringSSL calls this when the server has asked for a certificate. In TLS 1.2 it gets none: what is signed there would
 * be good for other handshakes too, so keyd has no word for it. */
static int note_request(SSL *ssl, void *arg)
{
    struct client_tls *tls = arg;
    tls->story.certificate_requested = true;
    tls->story.certificate_withheld = SSL_version(ssl) != TLS1_3_VERSION;
    if (tls->story.certificate_withheld) SSL_certs_clear(ssl);
    return 1;
}

/* ---- Preparing -------------------------------------------------------------------------------------------------- */

static int trust_ca(SSL_CTX *ctx, struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *ca = d2i_X509(NULL, &at, (long)der.len);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int trusted = ca != NULL && X509_STORE_add_cert(store, ca);
    /* The last certificate of a chain that an operator brings may be an intermediate CA's. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    X509_free(ca);
    return trusted;
}

/* The name, or the IP address, is checked with the chain. */
static int expect_name(SSL *ssl, const struct client_address *address)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT); /* RFC 9525, 2: no common names */
    if (address->is_ip) return X509_VERIFY_PARAM_set1_ip_asc(param, address->host);
    return X509_VERIFY_PARAM_set1_host(param, address->host, strlen(address->host)) &&
           SSL_set_tlsext_host_name(ssl, address->host); /* RFC 6066, 3: names only */
}

static int prepare(struct client_tls *tls, const struct client_handle *handle, const struct client_address *address,
                   enum client_tls_service service)
{
    static const uint8_t http[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    /* What keyd verifies of a server (RFC 8446, 4.2.3). */
    static const uint16_t schemes[] = {SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384,
                                       SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_RSA_PSS_RSAE_SHA384,
                                       SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_ED25519};
    tls->ctx = SSL_CTX_new(TLS_method());
    if (tls->ctx == NULL || !SSL_CTX_set_min_proto_version(tls->ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(tls->ctx, TLS1_3_VERSION) || !trust_ca(tls->ctx, handle->ca) ||
        !SSL_CTX_use_certificate_ASN1(tls->ctx, handle->certificate.len, handle->certificate.data))
        return 0;
    SSL_CTX_set_private_key_method(tls->ctx, &key_method);
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    /* That CA and no other: an intermediate too can be the one that somebody trusts. */
    X509_STORE_set_flags(SSL_CTX_get_cert_store(tls->ctx), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    if (!SSL_CTX_set_verify_algorithm_prefs(tls->ctx, schemes, sizeof schemes / sizeof *schemes)) return 0;
    tls->ssl = SSL_new(tls->ctx);
    if (tls->ssl == NULL || !SSL_set_app_data(tls->ssl, tls) || !SSL_set_fd(tls->ssl, tls->fd) ||
        !expect_name(tls->ssl, address))
        return 0;
    SSL_set_connect_state(tls->ssl);
    SSL_set_cert_cb(tls->ssl, note_request, tls);
    SSL_set_msg_callback(tls->ssl, collect_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    /* SSL_set_alpn_protos returns 0 on success. */
    return service != CLIENT_TLS_HTTP || SSL_set_alpn_protos(tls->ssl, http, sizeof http) == 0;
}

enum err client_tls_new(struct client_tls **out, int fd, const struct client_handle *handle,
                        const struct client_address *address, enum client_tls_service service, struct diag *diag)
{
    *out = NULL;
    struct client_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    tls->fd = fd;
    tls->handle = (struct link){.fd = handle->fd, .role = LINK_SIGN_CLIENT, .end = LINK_LOWER};
    memcpy(tls->host, address->host, sizeof tls->host);
    tls->story.host = tls->host;
    tls->story.foreign = handle->foreign;
    tls->story.versions = "TLS 1.3";
    tls->arena = codec_arena_new(8192);
    if (tls->arena == NULL || !prepare(tls, handle, address, service)) {
        client_tls_free(tls);
        return diag_set(diag, ERR_CRYPTO, "cannot prepare TLS: %s", client_tls_reason());
    }
    *out = tls;
    return ERR_OK;
}

void client_tls_free(struct client_tls *tls)
{
    if (tls == NULL) return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->ctx);
    codec_arena_free(tls->arena);
    free(tls);
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

/* Waits for what ssl_error asks for. ERR_CRYPTO: it asks for nothing, it is a failure. */
static enum err wait_for(struct client_tls *tls, int ssl_error, uint64_t deadline_ms)
{
    struct pollfd wait = {.fd = tls->fd};
    switch (ssl_error) {
    case SSL_ERROR_WANT_READ: wait.events = POLLIN; break;
    case SSL_ERROR_WANT_WRITE: wait.events = POLLOUT; break;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION:
        wait.fd = tls->handle.fd;
        wait.events = POLLIN;
        break;
    default: return ERR_CRYPTO;
    }
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms >= deadline_ms) return ERR_TIMEOUT;
    int ready = poll(&wait, 1, (int)(deadline_ms - now_ms));
    return ready != 0 ? ERR_OK : ERR_TIMEOUT; /* an interrupted wait is tried again by the caller */
}

void client_tls_forget_errors(void)
{
    ERR_clear_error();
    errno = 0;
}

enum err client_tls_wait_or_explain(struct client_tls *tls, int result, uint64_t deadline_ms, struct diag *diag)
{
    int ssl_error = SSL_get_error(tls->ssl, result);
    enum err err = wait_for(tls, ssl_error, deadline_ms);
    if (err == ERR_OK) return ERR_OK;
    if (err == ERR_TIMEOUT && ssl_error == SSL_ERROR_WANT_PRIVATE_KEY_OPERATION) {
        return diag_set(diag, err, "keyd did not sign in time; see what the broker logs");
    }
    if (err == ERR_TIMEOUT) {
        return diag_set(diag, err, "%s did not answer in time; see the server's log", tls->story.host);
    }
    tls->story.verify_result = SSL_get_verify_result(tls->ssl);
    return client_tls_explain(&tls->story, ssl_error, diag);
}

enum err client_tls_handshake(struct client_tls *tls, struct diag *diag)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_HANDSHAKE_MS;
    for (;;) {
        client_tls_forget_errors();
        int result = SSL_do_handshake(tls->ssl);
        if (result == 1) break;
        enum err err = client_tls_wait_or_explain(tls, result, deadline_ms, diag);
        if (err != ERR_OK) return err;
    }
    if (tls->watch.message != NULL) return ERR_OK; /* how it ends is for client_tls_part to see */
    tls->story.connected = true;
    if (!tls->story.certificate_requested) {
        return diag_set(diag, ERR_DENIED,
                        "%s did not ask for a client certificate: this is not %s, or it lets anyone in",
                        tls->story.host, tls->story.foreign ? "the server that wants one" : "Keyward's page");
    }
    return ERR_OK;
}

const char *client_tls_describe(struct client_tls *tls, char *out, size_t out_len)
{
    snprintf(out, out_len, "%s %s", SSL_get_version(tls->ssl), SSL_get_cipher_name(tls->ssl));
    return out;
}

/* A server that refuses says so and closes: the write that comes too late only sees the latter. Looks for an alert that
 * explains more than err, and leaves everything else to be read. */
static enum err last_words(struct client_tls *tls, enum err err, struct diag *diag)
{
    uint8_t byte;
    client_tls_forget_errors();
    int result = SSL_peek(tls->ssl, &byte, sizeof byte);
    int ssl_error = SSL_get_error(tls->ssl, result);
    return ssl_error == SSL_ERROR_SSL ? client_tls_explain(&tls->story, ssl_error, diag) : err;
}

enum err client_tls_write(struct client_tls *tls, const uint8_t *data, size_t len, struct diag *diag)
{
    enum { RECORD = 16384 };
    while (len > 0) {
        uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_WRITE_MS;
        int part = len < RECORD ? (int)len : RECORD;
        int written = 0;
        for (;;) {
            client_tls_forget_errors();
            written = SSL_write(tls->ssl, data, part);
            if (written > 0) break;
            enum err err = client_tls_wait_or_explain(tls, written, deadline_ms, diag);
            if (err == ERR_CLOSED) return last_words(tls, err, diag);
            if (err != ERR_OK) return err;
        }
        data += written;
        len -= (size_t)written;
    }
    return ERR_OK;
}

enum err client_tls_read(struct client_tls *tls, uint8_t *buf, size_t *out_len, size_t buf_len,
                         enum client_tls_wait wait, struct diag *diag)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_BODY_MS;
    for (;;) {
        client_tls_forget_errors();
        int result = SSL_read(tls->ssl, buf, buf_len < 16384 ? (int)buf_len : 16384);
        if (result > 0) {
            *out_len = (size_t)result;
            return ERR_OK;
        }
        int ssl_error = SSL_get_error(tls->ssl, result);
        if (ssl_error == SSL_ERROR_ZERO_RETURN) {
            *out_len = 0;
            return ERR_OK;
        }
        if (wait == CLIENT_TLS_NO_WAIT && ssl_error == SSL_ERROR_WANT_READ) return ERR_AGAIN;
        enum err err = client_tls_wait_or_explain(tls, result, deadline_ms, diag);
        if (err != ERR_OK) return err;
    }
}

void client_tls_close(struct client_tls *tls)
{
    client_tls_forget_errors();
    (void)SSL_shutdown(tls->ssl); /* one way: the answer is not waited for */
}
