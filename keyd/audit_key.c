#include "keyd/audit_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/sha.h>

struct audit_key {
    EC_KEY *key;
    uint8_t public[LIMIT_AUDIT_KEY];
    size_t public_len;
    uint64_t last; /* number that was signed */
};

static bool write_public(struct audit_key *out)
{
    CBB cbb;
    EVP_PKEY *pkey = EVP_PKEY_new();
    bool good = pkey != NULL && EVP_PKEY_set1_EC_KEY(pkey, out->key) &&
                CBB_init_fixed(&cbb, out->public, sizeof(out->public)) && EVP_marshal_public_key(&cbb, pkey) &&
                CBB_finish(&cbb, NULL, &out->public_len);
    EVP_PKEY_free(pkey);
    return good;
}

struct audit_key *audit_key_new(void)
{
    struct audit_key *key = calloc(1, sizeof(*key));
    if (key == NULL) return NULL;
    key->key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key->key != NULL && EC_KEY_generate_key(key->key) && write_public(key)) return key;
    audit_key_free(key);
    return NULL;
}

void audit_key_free(struct audit_key *key)
{
    if (key == NULL) return;
    EC_KEY_free(key->key);
    free(key);
}

struct bytes audit_key_public(const struct audit_key *key)
{
    return (struct bytes){key->public, key->public_len};
}

/* Replaces s by the order less s where that is lower; both verify. */
static bool lower_s(ECDSA_SIG *signature, const EC_KEY *key)
{
    const BIGNUM *order = EC_GROUP_get0_order(EC_KEY_get0_group(key));
    const BIGNUM *r = ECDSA_SIG_get0_r(signature), *s = ECDSA_SIG_get0_s(signature);
    BIGNUM *other_r = BN_dup(r), *other_s = BN_new();
    bool good = other_r != NULL && other_s != NULL && BN_sub(other_s, order, s);
    if (good && BN_cmp(other_s, s) < 0) {
        good = ECDSA_SIG_set0(signature, other_r, other_s) == 1;
        if (good) return true;
    }
    BN_free(other_r);
    BN_free(other_s);
    return good;
}

static bool sign_digest(const EC_KEY *key, uint8_t out[AUDIT_KEY_SIGNATURE], size_t *out_len,
                        const uint8_t digest[SHA256_DIGEST_LENGTH])
{
    CBB cbb;
    ECDSA_SIG *signature = ECDSA_do_sign(digest, SHA256_DIGEST_LENGTH, key);
    bool good = signature != NULL && lower_s(signature, key) && CBB_init_fixed(&cbb, out, AUDIT_KEY_SIGNATURE) &&
                ECDSA_SIG_marshal(&cbb, signature) && CBB_finish(&cbb, NULL, out_len);
    ECDSA_SIG_free(signature);
    return good;
}

enum err audit_key_sign(struct audit_key *key, uint8_t out[AUDIT_KEY_SIGNATURE], size_t *out_len, uint64_t number,
                        const uint8_t hash[AUDIT_HEAD_HASH])
{
    uint8_t content[AUDIT_HEAD_CONTENT], digest[SHA256_DIGEST_LENGTH];
    if (number <= key->last) return ERR_DENIED;
    audit_head_content(content, number, hash);
    SHA256(content, sizeof(content), digest);
    if (!sign_digest(key->key, out, out_len, digest)) return ERR_CRYPTO;
    key->last = number;
    return ERR_OK;
}
