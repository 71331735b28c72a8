#include "broker/audit_signature.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/sha.h>

#include "base/audit_head.h"

/* What a SubjectPublicKeyInfo of an uncompressed P-256 point begins with (RFC 5480, 2). There is no other form of it, and so no
 * need for a parser of all that BoringSSL can parse. */
static const uint8_t outset[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
#define POINT 65u

/* NULL: it is no P-256 key. */
static EC_KEY *parse_key(struct bytes public_key)
{
    if (public_key.len != sizeof outset + POINT || memcmp(public_key.data, outset, sizeof outset) != 0) return NULL;
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key && EC_KEY_oct2key(key, public_key.data + sizeof outset, POINT, NULL) == 1) return key;
    EC_KEY_free(key);
    ERR_clear_error();
    return NULL;
}

bool audit_key_fingerprint(uint8_t out[AUDIT_HASH], struct bytes public_key)
{
    EC_KEY *key = parse_key(public_key);
    if (!key) return false;
    EC_KEY_free(key);
    SHA256(public_key.data, public_key.len, out);
    return true;
}

void audit_end_hash(uint8_t out[AUDIT_HASH], const uint8_t hash[AUDIT_HASH])
{
    static const char context[] = "Keyward audit end";
    SHA256_CTX sha256;
    SHA256_Init(&sha256);
    SHA256_Update(&sha256, context, sizeof context); /* its NUL is the zero byte */
    SHA256_Update(&sha256, hash, AUDIT_HASH);
    SHA256_Final(out, &sha256);
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
    EC_KEY *key = parse_key(public_key);
    ECDSA_SIG *parsed = ECDSA_SIG_from_bytes(signature.data, signature.len);
    bool good = key && parsed && has_one_form(parsed, key) && ECDSA_do_verify(digest, sizeof digest, parsed, key) == 1;
    ECDSA_SIG_free(parsed);
    EC_KEY_free(key);
    ERR_clear_error();
    return good;
}
