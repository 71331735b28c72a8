#include "tests/unit/keyd/pki.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/keep.h"

static EVP_PKEY *ec_key(int curve)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(curve);
    cr_assert(key && ec && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static EVP_PKEY *rsa_key(int bits)
{
    EVP_PKEY *key = EVP_PKEY_new();
    RSA *rsa = RSA_new();
    BIGNUM *e = BN_new();
    cr_assert(key && rsa && e && BN_set_word(e, RSA_F4) && RSA_generate_key_ex(rsa, bits, e, NULL) &&
              EVP_PKEY_assign_RSA(key, rsa));
    BN_free(e);
    return key;
}

static EVP_PKEY *ed25519_key(void)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
    cr_assert(context && EVP_PKEY_keygen_init(context) && EVP_PKEY_keygen(context, &key));
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *new_key(enum pki_kind kind)
{
    switch (kind) {
    case PKI_P224: return ec_key(NID_secp224r1);
    case PKI_P256: return ec_key(NID_X9_62_prime256v1);
    case PKI_P384: return ec_key(NID_secp384r1);
    case PKI_P521: return ec_key(NID_secp521r1);
    case PKI_ED25519: return ed25519_key();
    case PKI_RSA1024: return rsa_key(1024);
    case PKI_RSA2047: return rsa_key(2047);
    case PKI_RSA2048: return rsa_key(2048);
    case PKI_RSA4096: return rsa_key(4096);
    }
    return NULL;
}

EVP_PKEY *pki_key(enum pki_kind kind)
{
    return keep(new_key(kind));
}

static void set_name(X509_NAME *name, const char *common_name)
{
    cr_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0));
}

static void add_extension(X509 *x509, int nid, const char *text)
{
    X509V3_CTX context;
    if (text == NULL) return;
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, text);
    cr_assert(extension && X509_add_ext(x509, extension, -1), "%s", text);
    X509_EXTENSION_free(extension);
}

static void add_unknown(X509 *x509, const char *text)
{
    X509V3_CTX context;
    if (text == NULL) return;
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf(NULL, &context, "1.2.3.4.5", text);
    cr_assert(extension && X509_add_ext(x509, extension, -1), "%s", text);
    X509_EXTENSION_free(extension);
}

static void add_der(X509 *x509, const char *type_text, struct bytes der)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *type = OBJ_txt2obj(type_text, 1);
    cr_assert(value && type && ASN1_OCTET_STRING_set(value, der.data, (int)der.len));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, type, 0, value);
    cr_assert(extension && X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OBJECT_free(type);
    ASN1_OCTET_STRING_free(value);
}

static void add_padding(X509 *x509, size_t len)
{
    if (len == 0) return;
    uint8_t *octets = calloc(1, len);
    cr_assert(octets);
    add_der(x509, "1.2.3.4.6", (struct bytes){octets, len});
    free(octets);
}

struct bytes pki_issue(const struct pki_spec *spec)
{
    static long serial = 1000;
    X509 *x509 = X509_new();
    cr_assert(x509 && X509_set_version(x509, spec->version1 ? X509_VERSION_1 : X509_VERSION_3) &&
              ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial) && X509_set_pubkey(x509, spec->key) &&
              ASN1_TIME_set_posix(X509_getm_notBefore(x509), spec->not_before) &&
              ASN1_TIME_set_posix(X509_getm_notAfter(x509), spec->not_after));
    set_name(X509_get_subject_name(x509), spec->subject);
    set_name(X509_get_issuer_name(x509), spec->issuer);
    add_extension(x509, NID_subject_alt_name, spec->names);
    if (spec->names_der.len > 0) add_der(x509, "2.5.29.17", spec->names_der);
    add_extension(x509, NID_basic_constraints, spec->constraints);
    add_extension(x509, NID_key_usage, spec->usage);
    add_extension(x509, NID_ext_key_usage, spec->ext_usage);
    add_extension(x509, NID_name_constraints, spec->name_constraints);
    add_extension(x509, NID_subject_key_identifier, spec->key_id);
    add_unknown(x509, spec->unknown);
    add_padding(x509, spec->padding);
    const EVP_MD *hash = spec->hash != NULL ? spec->hash : EVP_sha256();
    cr_assert(X509_sign(x509, spec->signer, EVP_PKEY_id(spec->signer) == EVP_PKEY_ED25519 ? NULL : hash));
    uint8_t *der = NULL;
    const int len = i2d_X509(x509, &der);
    cr_assert_gt(len, 0);
    X509_free(x509);
    uint8_t *kept = keep(malloc((size_t)len)); /* and not where BoringSSL allocates, which may be small */
    memcpy(kept, der, (size_t)len);
    OPENSSL_free(der);
    return (struct bytes){kept, (size_t)len};
}

static const EVP_MD *hash_of(uint16_t scheme)
{
    switch (scheme) {
    case 0x0403:
    case 0x0804: return EVP_sha256();
    case 0x0503:
    case 0x0805: return EVP_sha384();
    case 0x0603:
    case 0x0806: return EVP_sha512();
    default: return NULL;
    }
}

struct bytes pki_sign(EVP_PKEY *key, uint16_t scheme, struct bytes content)
{
    EVP_MD_CTX context;
    EVP_PKEY_CTX *rsa;
    size_t len = 1024;
    uint8_t *out = keep(malloc(len));
    EVP_MD_CTX_init(&context);
    cr_assert(EVP_DigestSignInit(&context, &rsa, hash_of(scheme), NULL, key));
    if (EVP_PKEY_id(key) == EVP_PKEY_RSA)
        cr_assert(EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_PSS_PADDING) &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(rsa, -1));
    cr_assert(EVP_DigestSign(&context, out, &len, content.data, content.len));
    EVP_MD_CTX_cleanup(&context);
    return (struct bytes){out, len};
}
