#include "tests/unit/keyd/shake.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <string.h>

const struct shake_kind shake_kinds[] = {
    {.name = "plain"},
    {.name = "AES-256", .aes256 = true},
    {.name = "retry", .retry = true},
    {.name = "retry, AES-256", .retry = true, .aes256 = true},
    {.name = "issuer", .with_issuer = true},
    {.name = "issuer, AES-256", .with_issuer = true, .aes256 = true},
    {.name = "issuer, retry", .with_issuer = true, .retry = true},
    {.name = "issuer, retry, AES-256", .with_issuer = true, .retry = true, .aes256 = true},
};
const size_t shake_num_kinds = sizeof(shake_kinds) / sizeof(shake_kinds[0]);

enum { MAX_CHAIN = 16 };

/* One at a time: what the callbacks know. */
static struct {
    struct shake *out;
    const struct shake_keys *keys;
    bool server_finished;
} state;

static void collect(uint8_t *messages, size_t *len, const void *data, size_t data_len)
{
    cr_assert_leq(data_len, LIMIT_CLIENT_TRANSCRIPT - *len);
    memcpy(messages + *len, data, data_len);
    *len += data_len;
}

static void on_server_message(int is_write, int version, int type, const void *data, size_t len, SSL *ssl, void *unused)
{
    (void)version, (void)ssl, (void)unused;
    if (type != SSL3_RT_HANDSHAKE || state.server_finished) return;
    collect(state.out->server_messages, &state.out->server_len, data, len);
    if (((const uint8_t *)data)[0] == SSL3_MT_CLIENT_HELLO) state.out->hellos++;
    if (is_write && ((const uint8_t *)data)[0] == SSL3_MT_FINISHED) state.server_finished = true;
}

static void on_client_message(int is_write, int version, int type, const void *data, size_t len, SSL *ssl, void *unused)
{
    (void)is_write, (void)version, (void)ssl, (void)unused;
    if (type == SSL3_RT_HANDSHAKE && state.out->content_len == 0)
        collect(state.out->client_messages, &state.out->client_len, data, len);
}

static enum ssl_private_key_result_t sign_server(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 uint16_t scheme, const uint8_t *in, size_t in_len)
{
    (void)ssl, (void)max_out;
    (void)scheme; /* there is one to choose from */
    state.keys->sign_server(state.keys->context, out, out_len, (struct bytes){in, in_len});
    return ssl_private_key_success;
}

static void hash_content(struct shake *out, uint16_t scheme)
{
    switch (scheme) {
    case SSL_SIGN_ECDSA_SECP384R1_SHA384:
    case SSL_SIGN_RSA_PSS_RSAE_SHA384: SHA384(out->content, out->content_len, out->digest); break;
    case SSL_SIGN_RSA_PSS_RSAE_SHA512: SHA512(out->content, out->content_len, out->digest); break;
    default: SHA256(out->content, out->content_len, out->digest); break;
    }
    const bool is_384 = scheme == SSL_SIGN_ECDSA_SECP384R1_SHA384 || scheme == SSL_SIGN_RSA_PSS_RSAE_SHA384;
    out->digest_len = is_384 ? 48 : scheme == SSL_SIGN_RSA_PSS_RSAE_SHA512 ? 64 : 32;
}

/* What comes after this is of no interest. */
static enum ssl_private_key_result_t sign_client(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 uint16_t scheme, const uint8_t *in, size_t in_len)
{
    (void)out, (void)out_len, (void)max_out;
    cr_assert_leq(in_len, sizeof(state.out->content));
    memcpy(state.out->content, in, in_len);
    state.out->content_len = in_len;
    hash_content(state.out, scheme);
    state.out->suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
    return ssl_private_key_failure;
}

static enum ssl_private_key_result_t complete(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    (void)ssl, (void)out, (void)out_len, (void)max_out;
    return ssl_private_key_failure; /* nothing here is asynchronous */
}

static const SSL_PRIVATE_KEY_METHOD server_method = {.sign = sign_server, .complete = complete};
static const SSL_PRIVATE_KEY_METHOD client_method = {.sign = sign_client, .complete = complete};

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *out_alert)
{
    (void)ssl, (void)out_alert;
    return ssl_verify_ok;
}

static void set_chain(SSL_CTX *context, const struct bytes *ders, size_t num, const SSL_PRIVATE_KEY_METHOD *method)
{
    CRYPTO_BUFFER *chain[MAX_CHAIN];
    cr_assert_leq(num, MAX_CHAIN);
    for (size_t i = 0; i < num; i++) chain[i] = CRYPTO_BUFFER_new(ders[i].data, ders[i].len, NULL);
#if BORINGSSL_API_VERSION >= 30
    SSL_CREDENTIAL *credential = SSL_CREDENTIAL_new_x509();
    cr_assert(SSL_CREDENTIAL_set1_cert_chain(credential, chain, num));
    cr_assert(SSL_CREDENTIAL_set_private_key_method(credential, method));
    cr_assert(SSL_CTX_add1_credential(context, credential));
    SSL_CREDENTIAL_free(credential);
#else
    cr_assert(SSL_CTX_set_chain_and_key(context, chain, num, NULL, method));
#endif
    for (size_t i = 0; i < num; i++) CRYPTO_BUFFER_free(chain[i]);
}

static uint16_t scheme_or_usual(uint16_t scheme)
{
    return scheme != 0 ? scheme : SSL_SIGN_ECDSA_SECP256R1_SHA256;
}

static SSL *make_end(const struct shake_kind *kind, const char *groups, const struct bytes *ders, size_t num,
                     const SSL_PRIVATE_KEY_METHOD *method)
{
    const uint16_t server_scheme = scheme_or_usual(state.keys->server_scheme),
                   client_scheme = scheme_or_usual(state.keys->client_scheme);
    const bool is_server = method == &server_method;
    SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    set_chain(context, ders, num, method);
    /* The only way to that suite; what else comes with it is taken back. */
    if (kind->aes256) cr_assert(SSL_CTX_set_compliance_policy(context, ssl_compliance_policy_wpa3_192_202304));
    cr_assert(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION));
    cr_assert(SSL_CTX_set1_curves_list(context, groups));
    cr_assert(SSL_CTX_set_signing_algorithm_prefs(context, is_server ? &server_scheme : &client_scheme, 1));
    cr_assert(SSL_CTX_set_verify_algorithm_prefs(context, is_server ? &client_scheme : &server_scheme, 1));
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    SSL_CTX_set_msg_callback(context, is_server ? on_server_message : on_client_message);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    return ssl;
}

void shake_run(struct shake *out, const struct shake_kind *kind, const struct shake_keys *keys)
{
    memset(out, 0, sizeof(*out));
    memset(&state, 0, sizeof(state));
    state.out = out;
    state.keys = keys;
    const struct bytes chain[] = {keys->client, keys->issuer};
    struct bytes server_chain[MAX_CHAIN] = {keys->server};
    for (size_t i = 0; i < keys->num_server_more && i + 1 < MAX_CHAIN; i++) server_chain[i + 1] = keys->server_more[i];
    SSL *server = make_end(kind, "X25519", server_chain, 1 + keys->num_server_more, &server_method);
    SSL *client =
        make_end(kind, kind->retry ? "P-256:X25519" : "X25519", chain, kind->with_issuer ? 2 : 1, &client_method);
    BIO *server_bio, *client_bio;
    cr_assert(BIO_new_bio_pair(&server_bio, 16384, &client_bio, 16384));
    SSL_set_bio(server, server_bio, server_bio);
    SSL_set_bio(client, client_bio, client_bio);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int i = 0; i < 20 && out->content_len == 0; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    cr_assert(out->content_len != 0, "the client did not come to sign");
    cr_assert(state.server_finished);
    cr_assert_eq(out->hellos, kind->retry ? 2u : 1u);
    cr_assert_eq(out->suite == 0x1302, kind->aes256, "suite %#x", out->suite);
    SSL_free(server);
    SSL_free(client);
}

struct bytes shake_for_server(const struct shake *shake)
{
    return (struct bytes){shake->server_messages, shake->server_len};
}

struct bytes shake_for_client(const struct shake *shake)
{
    return (struct bytes){shake->client_messages, shake->client_len};
}

size_t shake_message_len(struct bytes messages, size_t at)
{
    cr_assert_leq(at + 4, messages.len);
    const uint8_t *header = messages.data + at;
    return 4 + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
}

size_t shake_find(struct bytes messages, uint8_t type, unsigned num)
{
    for (size_t at = 0; at < messages.len; at += shake_message_len(messages, at)) {
        if (messages.data[at] == type && num-- == 0) return at;
    }
    cr_assert_fail("no such message");
    return 0;
}
