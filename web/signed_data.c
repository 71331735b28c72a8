#include "web/signed_data.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/auto.h"
#include "web/der.h"

enum padding { PADDING_NONE, PADDING_PKCS1, PADDING_PSS };

struct algorithm {
    int key; /* EVP_PKEY_... */
    enum padding padding;
    const EVP_MD *(*hash)(void); /* NULL: the signature scheme has its own */
    uint8_t len;
    uint8_t contents[65]; /* of the AlgorithmIdentifier */
};

/* RSASSA-PSS-params (RFC 4055, 3.1) with SHA-N, MGF1 with the same, and a salt as long as the hash. */
#define PSS(hash, salt)                                                                                               \
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, \
        0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a,   \
        0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,   \
        0x04, 0x02, hash, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, salt
#define RSA_PKCS1(hash) 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, hash, 0x05, 0x00
#define ECDSA(hash) 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, hash

/* Those that certificates may have here (chain_strength.h), each as the one form that its AlgorithmIdentifier has. */
static const struct algorithm algorithms[] = {
    {EVP_PKEY_EC, PADDING_NONE, EVP_sha256, 10, {ECDSA(2)}},
    {EVP_PKEY_EC, PADDING_NONE, EVP_sha384, 10, {ECDSA(3)}},
    {EVP_PKEY_EC, PADDING_NONE, EVP_sha512, 10, {ECDSA(4)}},
    {EVP_PKEY_RSA, PADDING_PKCS1, EVP_sha256, 13, {RSA_PKCS1(11)}},
    {EVP_PKEY_RSA, PADDING_PKCS1, EVP_sha384, 13, {RSA_PKCS1(12)}},
    {EVP_PKEY_RSA, PADDING_PKCS1, EVP_sha512, 13, {RSA_PKCS1(13)}},
    {EVP_PKEY_RSA, PADDING_PSS, EVP_sha256, 65, {PSS(1, 32)}},
    {EVP_PKEY_RSA, PADDING_PSS, EVP_sha384, 65, {PSS(2, 48)}},
    {EVP_PKEY_RSA, PADDING_PSS, EVP_sha512, 65, {PSS(3, 64)}},
    {EVP_PKEY_ED25519, PADDING_NONE, NULL, 5, {0x06, 0x03, 0x2b, 0x65, 0x70}},
};

static void auto_context(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

bool signed_data_take(struct signed_data *out, CBS *in)
{
    CBS data, algorithm, signature;
    uint8_t unused_bits;
    if (!CBS_get_asn1_element(in, &data, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(in, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(in, &signature, CBS_ASN1_BITSTRING) || !CBS_get_u8(&signature, &unused_bits) || unused_bits != 0)
        return false;
    *out = (struct signed_data){der_span(&data), der_span(&algorithm), der_span(&signature)};
    return true;
}

static const struct algorithm *find(struct bytes contents)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (bytes_equal(contents, (struct bytes){algorithms[i].contents, algorithms[i].len})) return &algorithms[i];
    }
    return NULL;
}

static bool verify(const struct signed_data *signed_data, const struct algorithm *algorithm, EVP_PKEY *key)
{
    AUTO(auto_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *terms; /* the context's */
    if (context == NULL ||
        !EVP_DigestVerifyInit(context, &terms, algorithm->hash != NULL ? algorithm->hash() : NULL, NULL, key))
        return false;
    if (algorithm->padding == PADDING_PSS &&
        (!EVP_PKEY_CTX_set_rsa_padding(terms, RSA_PKCS1_PSS_PADDING) || !EVP_PKEY_CTX_set_rsa_pss_saltlen(terms, -1)))
        return false;
    const struct bytes signature = signed_data->signature, data = signed_data->data;
    return EVP_DigestVerify(context, signature.data, signature.len, data.data, data.len) == 1;
}

enum err signed_data_verify(const struct signed_data *signed_data, EVP_PKEY *key, struct diag *diag)
{
    const struct algorithm *algorithm = find(signed_data->algorithm);
    if (algorithm == NULL)
        return diag_set(diag, ERR_INPUT,
                        "its signature is of a kind that is not taken; have the CA sign with SHA-256 or better");
    const bool is_good = EVP_PKEY_id(key) == algorithm->key && verify(signed_data, algorithm, key);
    ERR_clear_error();
    return is_good ? ERR_OK : ERR_DENIED;
}
