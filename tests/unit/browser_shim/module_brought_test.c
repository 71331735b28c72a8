/* The PKCS#11 module with keys of other kinds than keyd's own. */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/unit/browser_shim/guest.h"

static void run(enum fake_key kind, void (*body)(const struct fake_identity *))
{
    struct fake_identity identity;
    unsigned requests = 0;
    fake_identity_make_brought(&identity, kind);
    cr_assert_eq(fake_browser(&identity, FAKE_SIGNS, body, &requests), 0);
}

static bool has(struct ck_function_list *p11, ck_session_handle_t session, ck_object_handle_t object,
                ck_attribute_type_t type, const void *value, size_t len)
{
    uint8_t room[4096];
    struct ck_attribute attribute = {type, room, sizeof room};
    return p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK && attribute.value_len == len &&
           memcmp(room, value, len) == 0;
}

static bool lacks(struct ck_function_list *p11, ck_session_handle_t session, ck_object_handle_t object,
                  ck_attribute_type_t type)
{
    struct ck_attribute attribute = {type, NULL, 0};
    return p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_ATTRIBUTE_TYPE_INVALID;
}

static void expect_mechanism(struct ck_function_list *p11, ck_mechanism_type_t type, unsigned long bits,
                             ck_mechanism_type_t not_this)
{
    ck_mechanism_type_t list[4] = {0};
    unsigned long count = 4;
    struct ck_mechanism_info info;
    EXPECT(p11->C_GetMechanismList(GUEST_SLOT, list, &count) == CKR_OK && count == 1 && list[0] == type);
    EXPECT(p11->C_GetMechanismInfo(GUEST_SLOT, type, &info) == CKR_OK);
    EXPECT(info.min_key_size == bits && info.max_key_size == bits && (info.flags & CKF_SIGN) != 0);
    EXPECT(p11->C_GetMechanismInfo(GUEST_SLOT, not_this, &info) == CKR_MECHANISM_INVALID);
}

/* ---- ECDSA on P-384 ------------------------------------------------------------------------------------------------ */

static void body_p384(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t key = guest_key(p11, s);
    const unsigned long ec = CKK_EC;
    struct ck_mechanism ecdsa = {.mechanism = CKM_ECDSA};
    expect_mechanism(p11, CKM_ECDSA, 384, CKM_RSA_PKCS_PSS);
    EXPECT(has(p11, s, key, CKA_KEY_TYPE, &ec, sizeof ec));
    EXPECT(has(p11, s, key, CKA_EC_PARAMS, "\x06\x05\x2b\x81\x04\x00\x22", 7));
    EXPECT(lacks(p11, s, key, CKA_MODULUS) && lacks(p11, s, key, CKA_PUBLIC_EXPONENT));
    for (uint8_t i = 0; i < 20; i++) { /* so that numbers of all lengths come by */
        uint8_t digest[64] = {i}, signature[96];
        unsigned long len = 95;
        EXPECT(p11->C_SignInit(s, &ecdsa, key) == CKR_OK);
        EXPECT(p11->C_Sign(s, digest, 48, signature, &len) == CKR_BUFFER_TOO_SMALL && len == 96);
        EXPECT(p11->C_Sign(s, digest, 48, signature, &len) == CKR_OK && len == 96);
        ECDSA_SIG *sig = ECDSA_SIG_new();
        EXPECT(ECDSA_SIG_set0(sig, BN_bin2bn(signature, 48, NULL), BN_bin2bn(signature + 48, 48, NULL)) == 1);
        EXPECT(ECDSA_do_verify(digest, 48, sig, EVP_PKEY_get0_EC_KEY(who->key)) == 1);
        ECDSA_SIG_free(sig);
        static const unsigned long wrong[] = {0, 32, 47, 49, 64};
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
            EXPECT(p11->C_SignInit(s, &ecdsa, key) == CKR_OK);
            EXPECT(p11->C_Sign(s, digest, wrong[j], signature, &len) == CKR_DATA_LEN_RANGE);
        }
    }
}

Test(module_brought, signs_with_p384)
{
    run(FAKE_P384, body_p384);
}

/* ---- RSA-PSS ------------------------------------------------------------------------------------------------------- */

static const struct {
    struct ck_rsa_pkcs_pss_params parameters;
    const EVP_MD *(*hash)(void);
} pss[] = {
    {{CKM_SHA256, CKG_MGF1_SHA256, 32}, EVP_sha256},
    {{CKM_SHA384, CKG_MGF1_SHA384, 48}, EVP_sha384},
    {{CKM_SHA512, CKG_MGF1_SHA512, 64}, EVP_sha512},
};

static void sign_pss(struct ck_function_list *p11, ck_session_handle_t s, ck_object_handle_t key,
                     const struct fake_identity *who, size_t i)
{
    struct ck_rsa_pkcs_pss_params parameters = pss[i].parameters;
    struct ck_mechanism mechanism = {CKM_RSA_PKCS_PSS, &parameters, sizeof parameters};
    RSA *rsa = EVP_PKEY_get0_RSA(who->key);
    uint8_t digest[64] = {(uint8_t)i, 1}, signature[512];
    unsigned long len = 0;
    const unsigned long digest_len = parameters.s_len;
    EXPECT(p11->C_SignInit(s, &mechanism, key) == CKR_OK);
    EXPECT(p11->C_Sign(s, digest, digest_len, NULL, &len) == CKR_OK && len == RSA_size(rsa));
    len--;
    EXPECT(p11->C_Sign(s, digest, digest_len, signature, &len) == CKR_BUFFER_TOO_SMALL && len == RSA_size(rsa));
    len = sizeof signature;
    EXPECT(p11->C_Sign(s, digest, digest_len, signature, &len) == CKR_OK && len == RSA_size(rsa));
    EXPECT(RSA_verify_pss_mgf1(rsa, digest, digest_len, pss[i].hash(), pss[i].hash(), -1, signature, len) == 1);
    for (unsigned long wrong = 0; wrong <= 64; wrong += 16) {
        if (wrong == digest_len) continue;
        EXPECT(p11->C_SignInit(s, &mechanism, key) == CKR_OK);
        len = sizeof signature;
        EXPECT(p11->C_Sign(s, digest, wrong, signature, &len) == CKR_DATA_LEN_RANGE);
    }
}

static void body_rsa(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t key = guest_key(p11, s);
    const RSA *rsa = EVP_PKEY_get0_RSA(who->key);
    const unsigned long type = CKK_RSA;
    uint8_t modulus[512];
    const size_t modulus_len = BN_bn2bin(RSA_get0_n(rsa), modulus);
    expect_mechanism(p11, CKM_RSA_PKCS_PSS, RSA_bits(rsa), CKM_ECDSA);
    EXPECT(has(p11, s, key, CKA_KEY_TYPE, &type, sizeof type));
    EXPECT(has(p11, s, key, CKA_MODULUS, modulus, modulus_len));
    EXPECT(has(p11, s, key, CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3));
    EXPECT(lacks(p11, s, key, CKA_EC_PARAMS));
    for (size_t i = 0; i < 3; i++) sign_pss(p11, s, key, who, i);
}

Test(module_brought, signs_with_rsa_pss)
{
    run(FAKE_RSA_2048, body_rsa);
    run(FAKE_RSA_3072, body_rsa);
}

static void body_parameters(const struct fake_identity *who)
{
    (void)who;
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t key = guest_key(p11, s);
    static const struct ck_rsa_pkcs_pss_params bad[] = {
        {CKM_SHA256, CKG_MGF1_SHA384, 32}, {CKM_SHA384, CKG_MGF1_SHA256, 48},
        {CKM_SHA256, CKG_MGF1_SHA256, 20}, {CKM_SHA256, CKG_MGF1_SHA256, 0},
        {CKM_SHA256, CKG_MGF1_SHA256, 64}, {CKM_SHA_1, CKG_MGF1_SHA1, 20},
        {CKM_SHA512, CKG_MGF1_SHA512, 32}, {0, 0, 0},
    };
    struct ck_rsa_pkcs_pss_params parameters = pss[0].parameters;
    struct ck_mechanism mechanism = {CKM_RSA_PKCS_PSS, &parameters, sizeof parameters};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        parameters = bad[i];
        EXPECT(p11->C_SignInit(s, &mechanism, key) == CKR_MECHANISM_PARAM_INVALID);
    }
    parameters = pss[0].parameters;
    mechanism.parameter_len--;
    EXPECT(p11->C_SignInit(s, &mechanism, key) == CKR_MECHANISM_PARAM_INVALID);
    mechanism.parameter = NULL;
    mechanism.parameter_len = 0;
    EXPECT(p11->C_SignInit(s, &mechanism, key) == CKR_MECHANISM_PARAM_INVALID);
    static const ck_mechanism_type_t others[] = {CKM_RSA_PKCS, CKM_RSA_X_509, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct ck_mechanism other = {.mechanism = others[i]};
        EXPECT(p11->C_SignInit(s, &other, key) == CKR_MECHANISM_INVALID);
    }
}

Test(module_brought, takes_the_parameters_of_tls_alone)
{
    run(FAKE_RSA_2048, body_parameters);
}

/* ---- What is shown --------------------------------------------------------------------------------------------------- */

static void body_certificates(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t first = 0, trust = 0, found[8];
    unsigned long count = 0;
    ck_object_class_t class = CKO_CERTIFICATE;
    struct ck_attribute template = {CKA_CLASS, &class, sizeof class};
    uint8_t hash[20];
    EXPECT(guest_find(p11, s, CKO_CERTIFICATE, &first) == 3);
    EXPECT(p11->C_FindObjectsInit(s, &template, 1) == CKR_OK);
    EXPECT(p11->C_FindObjects(s, found, 8, &count) == CKR_OK && count == 3);
    EXPECT(p11->C_FindObjectsFinal(s) == CKR_OK);
    EXPECT(has(p11, s, found[0], CKA_VALUE, who->leaf, who->leaf_len));
    EXPECT(has(p11, s, found[1], CKA_VALUE, who->issuer, who->issuer_len));
    EXPECT(has(p11, s, found[2], CKA_VALUE, who->server_ca, who->server_ca_len));
    EXPECT(guest_find(p11, s, CKO_NSS_TRUST, &trust) == 1);
    SHA1(who->server_ca, who->server_ca_len, hash);
    EXPECT(has(p11, s, trust, CKA_NSS_CERT_SHA1_HASH, hash, sizeof hash));
    EXPECT(has(p11, s, trust, CKA_SERIAL_NUMBER, "\x02\x01\x09", 3));
}

/* Whom the browser trusts is the server's CA; the client's own is shown and no more. */
Test(module_brought, trusts_the_servers_ca_alone)
{
    run(FAKE_P384, body_certificates);
}

static void body_own_issuer(const struct fake_identity *who)
{
    struct ck_function_list *p11 = guest_start();
    ck_session_handle_t s = guest_session(p11);
    ck_object_handle_t leaf = 0;
    EXPECT(guest_find(p11, s, CKO_CERTIFICATE, &leaf) == 2);
    EXPECT(has(p11, s, leaf, CKA_VALUE, who->leaf, who->leaf_len));
    EXPECT(has(p11, s, leaf + 2, CKA_VALUE, who->server_ca, who->server_ca_len));
}

Test(module_brought, shows_a_leaf_that_signed_itself_once)
{
    struct fake_identity identity;
    fake_identity_make_brought(&identity, FAKE_P384);
    identity.issuer = identity.leaf;
    identity.issuer_len = identity.leaf_len;
    cr_assert_eq(fake_browser(&identity, FAKE_SIGNS, body_own_issuer, NULL), 0);
}
