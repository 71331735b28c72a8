#include "keyd/audit_key.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/unit/keep.h"

static const uint8_t hash[AUDIT_HEAD_HASH] = {0xaa, [31] = 0xbb};

static EC_KEY *public_of(const struct audit_key *key)
{
    CBS cbs;
    struct bytes der = audit_key_public(key);
    CBS_init(&cbs, der.data, der.len);
    EVP_PKEY *pkey = keep(EVP_parse_public_key(&cbs));
    cr_assert_not_null(pkey);
    cr_assert_eq(CBS_len(&cbs), 0);
    return EVP_PKEY_get0_EC_KEY(pkey);
}

/* Written here once more, byte by byte. */
Test(audit_key, signs_a_content_of_its_own_making)
{
    static const uint8_t number[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
    uint8_t content[64], digest[32], signature[AUDIT_KEY_SIGNATURE];
    size_t len;
    struct audit_key *key = keep(audit_key_new());
    memcpy(content, "Keyward audit head", 19); /* its NUL is the zero byte */
    memcpy(content + 19, number, 8);
    memcpy(content + 27, hash, 32);
    SHA256(content, 59, digest);
    cr_assert_eq(audit_key_sign(key, signature, &len, 0x0102030405060708, hash), ERR_OK);
    cr_assert_eq(ECDSA_verify(0, digest, sizeof(digest), signature, len, public_of(key)), 1);
}

Test(audit_key, signs_rising_numbers_alone)
{
    static const struct {
        uint64_t number;
        enum err want;
    } rows[] = {{5, ERR_OK}, {5, ERR_DENIED}, {4, ERR_DENIED},      {1, ERR_DENIED},          {0, ERR_DENIED},
                {6, ERR_OK}, {6, ERR_DENIED}, {UINT64_MAX, ERR_OK}, {UINT64_MAX, ERR_DENIED}, {7, ERR_DENIED}};
    struct audit_key *key = keep(audit_key_new());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t signature[AUDIT_KEY_SIGNATURE];
        size_t len;
        cr_expect_eq(audit_key_sign(key, signature, &len, rows[i].number, hash), rows[i].want, "row %zu", i);
    }
}

/* Of the two signatures that verify, the one with the lower s: so nobody can make another of it. */
Test(audit_key, gives_a_signature_one_form)
{
    struct audit_key *key = keep(audit_key_new());
    const BIGNUM *order = EC_GROUP_get0_order(EC_KEY_get0_group(public_of(key)));
    for (uint64_t number = 1; number <= 64; number++) {
        uint8_t signature[AUDIT_KEY_SIGNATURE];
        size_t len;
        cr_assert_eq(audit_key_sign(key, signature, &len, number, hash), ERR_OK);
        ECDSA_SIG *parsed = ECDSA_SIG_from_bytes(signature, len);
        BIGNUM *twice = BN_dup(ECDSA_SIG_get0_s(parsed));
        cr_assert(BN_lshift1(twice, twice));
        cr_expect_leq(BN_cmp(twice, order), 0);
        BN_free(twice);
        ECDSA_SIG_free(parsed);
    }
}

Test(audit_key, is_another_each_time)
{
    struct audit_key *a = audit_key_new(), *b = audit_key_new();
    cr_expect_not(bytes_equal(audit_key_public(a), audit_key_public(b)));
    audit_key_free(a);
    audit_key_free(b);
    audit_key_free(NULL);
}
