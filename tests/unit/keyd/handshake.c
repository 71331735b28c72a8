#include "tests/unit/keyd/handshake.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/keystore.h"

/* One at a time: what the key's methods know. */
static struct {
    struct handshake result;
    struct keystore *keystore;
} state;

static enum ssl_private_key_result_t sign_as(enum key_role role, uint8_t *record, size_t *record_len, uint8_t *out,
                                             size_t *out_len, size_t max_out, const uint8_t *in, size_t in_len)
{
    struct digest digest;
    cr_assert(scheme_hash(&digest, SCHEME_ECDSA_P256_SHA256, (struct bytes){in, in_len}));
    if (in_len <= 512) {
        memcpy(record, in, in_len);
        *record_len = in_len;
    }
    uint8_t signature[SCHEME_SIGNATURE];
    cr_assert_eq(keystore_sign(state.keystore, signature, out_len, role, &digest), ERR_OK);
    cr_assert_leq(*out_len, max_out);
    memcpy(out, signature, *out_len);
    return ssl_private_key_success;
}

static enum ssl_private_key_result_t sign_server(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 uint16_t scheme, const uint8_t *in, size_t in_len)
{
    (void)ssl;
    cr_assert_eq(scheme, SCHEME_ECDSA_P256_SHA256);
    return sign_as(KEY_SERVER, state.result.server_input, &state.result.server_input_len, out, out_len, max_out, in,
                   in_len);
}

static enum ssl_private_key_result_t sign_client(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 uint16_t scheme, const uint8_t *in, size_t in_len)
{
    (void)ssl;
    cr_assert_eq(scheme, SCHEME_ECDSA_P256_SHA256);
    return sign_as(KEY_CLIENT, state.result.client_input, &state.result.client_input_len, out, out_len, max_out, in,
                   in_len);
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

static SSL *make_end(uint16_t version, const char *groups, enum key_role role, const SSL_PRIVATE_KEY_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    const struct bytes der = keystore_certificate(state.keystore, role);
    CRYPTO_BUFFER *leaf = CRYPTO_BUFFER_new(der.data, der.len, NULL);
    CRYPTO_BUFFER *const chain[] = {leaf};
    cr_assert(SSL_CTX_set_min_proto_version(context, version) && SSL_CTX_set_max_proto_version(context, version));
    cr_assert(SSL_CTX_set1_curves_list(context, groups));
#if BORINGSSL_API_VERSION >= 30
    SSL_CREDENTIAL *credential = SSL_CREDENTIAL_new_x509();
    cr_assert(SSL_CREDENTIAL_set1_cert_chain(credential, chain, 1));
    cr_assert(SSL_CREDENTIAL_set_private_key_method(credential, method));
    cr_assert(SSL_CTX_add1_credential(context, credential));
    SSL_CREDENTIAL_free(credential);
#else
    cr_assert(SSL_CTX_set_chain_and_key(context, chain, 1, NULL, method));
#endif
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    CRYPTO_BUFFER_free(leaf);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    return ssl;
}

struct handshake handshake_run(uint16_t version, const char *groups)
{
    memset(&state, 0, sizeof(state));
    const struct keyd_setup setup = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    cr_assert_eq(keystore_new(&state.keystore, &setup, clock_wall_s(), NULL), ERR_OK);
    SSL *server = make_end(version, groups, KEY_SERVER, &server_method);
    SSL *client = make_end(version, groups, KEY_CLIENT, &client_method);
    BIO *server_bio, *client_bio;
    cr_assert(BIO_new_bio_pair(&server_bio, 65536, &client_bio, 65536));
    SSL_set_bio(server, server_bio, server_bio);
    SSL_set_bio(client, client_bio, client_bio);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    int server_done = 0, client_done = 0;
    for (int i = 0; i < 20 && !(server_done && client_done); i++) {
        client_done = SSL_do_handshake(client) == 1;
        server_done = SSL_do_handshake(server) == 1;
    }
    cr_assert(server_done && client_done, "the handshake did not complete");
    SSL_free(server);
    SSL_free(client);
    keystore_free(state.keystore);
    return state.result;
}
