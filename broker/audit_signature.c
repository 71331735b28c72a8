#include "broker/audit_signature.h"

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/sha.h>

#include "base/audit_head.h"

/* NULL: it is no P-256 key. */
static EVP_PKEY *parse_key(struct bytes public_key)
{
    CBS cbs;
    CBS_init(&cbs, public_key.data, public_key.len);
    EVP_PKEY *key = EVP_parse_public_key(&cbs);
    const EC_KEY *ec = key && CBS_len(&cbs) == 0 ? EVP_PKEY_get0_EC_KEY(key) : NULL;
    if (ec && EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) == NID_X9_62_prime256v1) return key;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return NULL;
}

bool audit_key_fingerprint(uint8_t out[AUDIT_HASH], struct bytes public_key)
{
    EVP_PKEY *key = parse_key(public_key);
    if (!key) return false;
    EVP_PKEY_free(key);
    SHA256(public_key.data, public_key.len, out);
    return true;
}

/* Of the two values of s that verify, keyd writes the lower. */
static bool has_one_form(const ECDSA_SIG *signature, const EC_KEY *key)
{
    BIGNUM *twice = BN_dup(ECDSA_SIG_get0_s(signature));
    bool good = twice && BN_lshift1(twice, twice) && BN_cmp(twice, EC_GROUP_get0_order(EC_KEY_get0_group(key))) <= 0;
    BN_free(twice);
    return good;
}

bool audit_signature_good(struct bytes public_key, uint64_t number, const uint8_t hash[AUDIT_HASH],
                          struct bytes signature)
{
    uint8_t content[AUDIT_HEAD_CONTENT], digest[SHA256_DIGEST_LENGTH];
    audit_head_content(content, number, hash);
    SHA256(content, sizeof content, digest);
    EVP_PKEY *key = parse_key(public_key);
    const EC_KEY *ec = key ? EVP_PKEY_get0_EC_KEY(key) : NULL;
    ECDSA_SIG *parsed = ECDSA_SIG_from_bytes(signature.data, signature.len);
    bool good = ec && parsed && has_one_form(parsed, ec) && ECDSA_do_verify(digest, sizeof digest, parsed, ec) == 1;
    ECDSA_SIG_free(parsed);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}
