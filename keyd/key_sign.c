#include "keyd/key_sign.h"

#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#define SALT_AS_LONG_AS_THE_HASH (-1)

static size_t ec_schemes(uint16_t out[SCHEMES_OF_A_KEY], const EC_KEY *key)
{
    switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(key))) {
    case NID_X9_62_prime256v1: out[0] = SCHEME_ECDSA_P256_SHA256; return 1;
    case NID_secp384r1: out[0] = SCHEME_ECDSA_P384_SHA384; return 1;
    default: return 0;
    }
}

static size_t rsa_schemes(uint16_t out[SCHEMES_OF_A_KEY], const RSA *key)
{
    const unsigned bits = RSA_bits(key);
    if (bits != 2048 && bits != 3072 && bits != 4096) return 0;
    out[0] = SCHEME_RSA_PSS_SHA256;
    out[1] = SCHEME_RSA_PSS_SHA384;
    out[2] = SCHEME_RSA_PSS_SHA512;
    return 3;
}

size_t key_schemes(uint16_t out[SCHEMES_OF_A_KEY], const EVP_PKEY *key)
{
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_EC: return ec_schemes(out, EVP_PKEY_get0_EC_KEY(key));
    case EVP_PKEY_RSA: return rsa_schemes(out, EVP_PKEY_get0_RSA(key));
    default: return 0;
    }
}

bool key_does(const EVP_PKEY *key, uint16_t scheme)
{
    uint16_t schemes[SCHEMES_OF_A_KEY];
    const size_t num = key_schemes(schemes, key);
    for (size_t i = 0; i < num; i++) {
        if (schemes[i] == scheme) return true;
    }
    return false;
}

static const EVP_MD *hash_of(const struct digest *digest)
{
    return digest->len == 32 ? EVP_sha256() : digest->len == 48 ? EVP_sha384() : EVP_sha512();
}

/* BoringSSL blinds an RSA key's operation, does it in constant time and verifies the result before it gives it out. */
static bool sign_rsa(uint8_t out[SCHEME_SIGNATURE], size_t *out_len, const EVP_PKEY *key, const struct digest *digest)
{
    const EVP_MD *hash = hash_of(digest);
    return RSA_sign_pss_mgf1(EVP_PKEY_get0_RSA(key), out_len, out, SCHEME_SIGNATURE, digest->data, digest->len, hash,
                             hash, SALT_AS_LONG_AS_THE_HASH) == 1;
}

static bool sign_ec(uint8_t out[SCHEME_SIGNATURE], size_t *out_len, const EVP_PKEY *key, const struct digest *digest)
{
    unsigned len = 0;
    if (!ECDSA_sign(0, digest->data, digest->len, out, &len, EVP_PKEY_get0_EC_KEY(key))) return false;
    *out_len = len;
    return true;
}

enum err key_sign(uint8_t out[SCHEME_SIGNATURE], size_t *out_len, const EVP_PKEY *key, const struct digest *digest)
{
    if (!key_does(key, digest->scheme) || digest->len != scheme_digest_len(digest->scheme)) return ERR_DENIED;
    const bool is_rsa = EVP_PKEY_id(key) == EVP_PKEY_RSA;
    const bool made = is_rsa ? sign_rsa(out, out_len, key, digest) : sign_ec(out, out_len, key, digest);
    if (!made) ERR_clear_error();
    return made ? ERR_OK : ERR_CRYPTO;
}

bool key_verify(const EVP_PKEY *key, const struct digest *digest, struct bytes signature)
{
    if (!key_does(key, digest->scheme) || digest->len != scheme_digest_len(digest->scheme)) return false;
    bool good;
    if (EVP_PKEY_id(key) == EVP_PKEY_RSA) {
        const EVP_MD *hash = hash_of(digest);
        good = RSA_verify_pss_mgf1(EVP_PKEY_get0_RSA(key), digest->data, digest->len, hash, hash,
                                   SALT_AS_LONG_AS_THE_HASH, signature.data, signature.len) == 1;
    } else {
        good =
            ECDSA_verify(0, digest->data, digest->len, signature.data, signature.len, EVP_PKEY_get0_EC_KEY(key)) == 1;
    }
    ERR_clear_error();
    return good;
}
