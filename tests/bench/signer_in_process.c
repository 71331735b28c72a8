/* For the benchmark alone: web with the key inside it, to measure what keeping it elsewhere costs. Nothing that ships
 * links this file. The key is a published test vector, the one that the benchmark's keyd has put into its server
 * certificate. */
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "web/signer.h"

/* RFC 6979, A.2.5: the private key x of the P-256 example. */
static const uint8_t published_key[32] = {
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
};

struct signer {
    EC_KEY *key;
    int channel; /* to the keyd that is not asked; kept open, as its end would be an error to keyd */
};

static EC_KEY *key_new(void)
{
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *scalar = BN_bin2bn(published_key, sizeof published_key, NULL);
    EC_POINT *point = key != NULL ? EC_POINT_new(EC_KEY_get0_group(key)) : NULL;
    CHECK(point != NULL && scalar != NULL);
    CHECK(EC_POINT_mul(EC_KEY_get0_group(key), point, scalar, NULL, NULL, NULL));
    CHECK(EC_KEY_set_private_key(key, scalar) && EC_KEY_set_public_key(key, point));
    EC_POINT_free(point);
    BN_free(scalar);
    return key;
}

struct signer *signer_new(struct ev_loop *loop, unsigned deadline_ms)
{
    (void)loop;
    (void)deadline_ms;
    struct signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL) return NULL;
    *signer = (struct signer){.key = key_new(), .channel = -1};
    return signer;
}

void signer_free(struct signer *signer)
{
    if (signer == NULL) return;
    if (signer->channel >= 0) close(signer->channel);
    EC_KEY_free(signer->key);
    free(signer);
}

void signer_on_bound(struct signer *signer,
                     void (*bound)(void *context, uint64_t number, const struct client_bound *client), void *context)
{
    (void)signer;
    (void)bound;
    (void)context;
}

void signer_on_unbound(struct signer *signer, void (*unbound)(void *context, uint64_t number, enum refusal refusal),
                       void *context)
{
    (void)signer;
    (void)unbound;
    (void)context;
}

void signer_catch_up(struct signer *signer)
{
    (void)signer;
}

void signer_connect(struct signer *signer, int channel)
{
    if (signer->channel >= 0) close(signer->channel);
    signer->channel = channel;
}

static int ssl_index(void)
{
    static int index = -1;
    if (index < 0) index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    CHECK(index >= 0);
    return index;
}

static enum ssl_private_key_result_t method_sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 uint16_t scheme, const uint8_t *in, size_t in_len)
{
    const struct signer *signer = SSL_get_ex_data(ssl, ssl_index());
    uint8_t digest[SHA256_DIGEST_LENGTH];
    unsigned len = 0;
    if (scheme != SSL_SIGN_ECDSA_SECP256R1_SHA256 || ECDSA_size(signer->key) > max_out) return ssl_private_key_failure;
    SHA256(in, in_len, digest);
    if (!ECDSA_sign(0, digest, sizeof digest, out, &len, signer->key)) return ssl_private_key_failure;
    *out_len = len;
    return ssl_private_key_success;
}

static enum ssl_private_key_result_t method_complete(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    return ssl_private_key_failure; /* sign never leaves anything to complete */
}

static enum ssl_private_key_result_t method_decrypt(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                    const uint8_t *in, size_t in_len)
{
    (void)in;
    (void)in_len;
    return method_complete(ssl, out, out_len, max_out);
}

const SSL_PRIVATE_KEY_METHOD *signer_method(void)
{
    static const SSL_PRIVATE_KEY_METHOD method = {method_sign, method_decrypt, method_complete};
    return &method;
}

void signer_attach(struct signer *signer, struct signer_wait *wait, SSL *ssl)
{
    wait->failure = NULL;
    CHECK(SSL_set_ex_data(ssl, ssl_index(), signer));
}

void signer_expect(struct signer_wait *wait, struct bytes messages)
{
    (void)wait;
    (void)messages;
}

void signer_detach(struct signer_wait *wait)
{
    (void)wait;
}
