#include "tests/unit/web/pki.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "tests/unit/keep.h"

static EVP_PKEY *make_ed25519_key(void)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
    CHECK(context != NULL && EVP_PKEY_keygen_init(context) && EVP_PKEY_keygen(context, &key));
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *make_key(int curve)
{
    if (curve == NID_ED25519) return make_ed25519_key();
    EC_KEY *ec = EC_KEY_new_by_curve_name(curve != 0 ? curve : NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(ec != NULL && key != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static EVP_PKEY *make_rsa_key(int bits)
{
    RSA *rsa = RSA_new();
    BIGNUM *e = BN_new();
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(rsa != NULL && e != NULL && key != NULL && BN_set_word(e, RSA_F4) &&
          RSA_generate_key_ex(rsa, bits, e, NULL) && EVP_PKEY_assign_RSA(key, rsa));
    BN_free(e);
    return key;
}

static void set_name(X509_NAME *name, const char *common_name)
{
    const unsigned char *text = (const unsigned char *)common_name;
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0));
}

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);
    CHECK(extension != NULL && X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
}

static void set_serial(X509 *x509)
{
    uint64_t serial;
    RAND_bytes((uint8_t *)&serial, sizeof serial);
    CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1 | 1));
}

struct pki_cert pki_make(const struct pki_request *request)
{
    struct pki_cert cert = {.x509 = keep(X509_new())};
    cert.key = keep(request->rsa_bits != 0 ? make_rsa_key(request->rsa_bits) : make_key(request->curve));
    const struct pki_cert *issuer = request->issuer != NULL ? request->issuer : &cert;
    CHECK(cert.x509 != NULL && X509_set_version(cert.x509, 2) && X509_set_pubkey(cert.x509, cert.key));
    set_serial(cert.x509);
    set_name(X509_get_subject_name(cert.x509), request->name);
    CHECK(X509_set_issuer_name(cert.x509, X509_get_subject_name(issuer->x509)));
    long not_after = request->not_after_s != 0 ? request->not_after_s : 3600;
    CHECK(X509_gmtime_adj(X509_getm_notBefore(cert.x509), request->not_before_s != 0 ? request->not_before_s : -60));
    CHECK(X509_gmtime_adj(X509_getm_notAfter(cert.x509), not_after));
    add_extension(cert.x509, NID_basic_constraints, request->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(cert.x509, NID_key_usage,
                  !request->is_ca        ? "critical,digitalSignature"
                  : request->no_crl_sign ? "critical,keyCertSign"
                                         : "critical,keyCertSign,cRLSign");
    if (!request->is_ca && request->eku >= 0)
        add_extension(cert.x509, NID_ext_key_usage, OBJ_nid2sn(request->eku != 0 ? request->eku : NID_client_auth));
    const EVP_MD *md = request->sha1 ? EVP_sha1() : EVP_sha256();
    CHECK(X509_sign(cert.x509, issuer->key, EVP_PKEY_id(issuer->key) == EVP_PKEY_ED25519 ? NULL : md));
    uint8_t *der = NULL;
    int len = i2d_X509(cert.x509, &der);
    CHECK(len > 0);
    cert.der = (struct bytes){keep(der), (size_t)len};
    return cert;
}

void pki_free(struct pki_cert *cert)
{
    EVP_PKEY_free(cert->key);
    X509_free(cert->x509);
    OPENSSL_free((void *)(uintptr_t)cert->der.data);
    memset(cert, 0, sizeof *cert);
}

struct pki_cert pki_ca(const char *name)
{
    return pki_make(&(struct pki_request){.name = name, .is_ca = true});
}

struct pki_cert pki_client(const struct pki_cert *issuer)
{
    return pki_make(&(struct pki_request){.name = "client", .issuer = issuer});
}

size_t pki_pem(char *out, size_t out_len, const struct pki_cert *cert)
{
    const uint8_t *text;
    size_t len;
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL && PEM_write_bio_X509(bio, cert->x509) && BIO_mem_contents(bio, &text, &len) && len < out_len);
    memcpy(out, text, len);
    out[len] = '\0';
    BIO_free(bio);
    return len;
}

static X509_EXTENSION *make_extension(int nid, const struct pki_crl_request *request)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    CHECK(value != NULL && ASN1_OCTET_STRING_set(value, request->value.data, (int)request->value.len));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, request->critical, value);
    ASN1_OCTET_STRING_free(value);
    CHECK(extension != NULL);
    return extension;
}

static void set_reason(X509_REVOKED *entry, int reason)
{
    ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();
    CHECK(value != NULL && ASN1_ENUMERATED_set(value, reason) &&
          X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0));
    ASN1_ENUMERATED_free(value);
}

static void revoke(X509_CRL *crl, const ASN1_INTEGER *serial, const struct pki_crl_request *request)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *at = ASN1_TIME_set_posix(NULL, 1767225600); /* the year 2026 begins */
    CHECK(entry != NULL && at != NULL && X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)(uintptr_t)serial) &&
          X509_REVOKED_set_revocationDate(entry, at));
    ASN1_TIME_free(at);
    if (request->reason != 0) set_reason(entry, request->reason);
    if (request->entry_extension != 0) {
        X509_EXTENSION *extension = make_extension(request->entry_extension, request);
        CHECK(X509_REVOKED_add_ext(entry, extension, -1));
        X509_EXTENSION_free(extension);
    }
    CHECK(X509_CRL_add0_revoked(crl, entry));
}

static void set_times(X509_CRL *crl, const struct pki_crl_request *request)
{
    ASN1_TIME *time = ASN1_TIME_new();
    CHECK(X509_gmtime_adj(time, request->this_update_s != 0 ? request->this_update_s : -60) != NULL &&
          X509_CRL_set1_lastUpdate(crl, time));
    CHECK(X509_gmtime_adj(time, request->next_update_s != 0 ? request->next_update_s : 3600) != NULL);
    if (!request->no_next_update) CHECK(X509_CRL_set1_nextUpdate(crl, time));
    ASN1_TIME_free(time);
}

static void sign_crl(X509_CRL *crl, const struct pki_crl_request *request)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *terms;
    EVP_PKEY *key = (request->signer != NULL ? request->signer : request->issuer)->key;
    const EVP_MD *md = EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : request->md != NULL ? request->md : EVP_sha256();
    CHECK(context != NULL && EVP_DigestSignInit(context, &terms, md, NULL, key));
    if (request->pss)
        CHECK(EVP_PKEY_CTX_set_rsa_padding(terms, RSA_PKCS1_PSS_PADDING) &&
              EVP_PKEY_CTX_set_rsa_pss_saltlen(terms, -1));
    CHECK(X509_CRL_sign_ctx(crl, context));
    EVP_MD_CTX_free(context);
}

struct bytes pki_crl(const struct pki_crl_request *request)
{
    X509_CRL *crl = X509_CRL_new();
    CHECK(crl != NULL && X509_CRL_set_issuer_name(crl, X509_get_subject_name(request->issuer->x509)));
    if (!request->version1) CHECK(X509_CRL_set_version(crl, X509_CRL_VERSION_2));
    set_times(crl, request);
    for (size_t i = 0; i < PKI_REVOKED && request->revoked[i] != NULL; i++)
        revoke(crl, X509_get0_serialNumber(request->revoked[i]->x509), request);
    for (uint32_t i = 0; i < request->further; i++) {
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        CHECK(serial != NULL && ASN1_INTEGER_set_uint64(serial, i * UINT64_C(2654435761) % UINT32_MAX));
        revoke(crl, serial, request);
        ASN1_INTEGER_free(serial);
    }
    if (request->extension != 0) {
        X509_EXTENSION *extension = make_extension(request->extension, request);
        CHECK(X509_CRL_add_ext(crl, extension, -1));
        X509_EXTENSION_free(extension);
    }
    sign_crl(crl, request);
    uint8_t *der = NULL;
    int len = i2d_X509_CRL(crl, &der);
    CHECK(len > 0);
    X509_CRL_free(crl);
    return (struct bytes){keep(der), (size_t)len};
}

size_t pki_crl_pem(char *out, size_t out_len, struct bytes crl)
{
    const uint8_t *text;
    size_t len;
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL && PEM_write_bio(bio, "X509 CRL", "", crl.data, (long)crl.len) &&
          BIO_mem_contents(bio, &text, &len) && len < out_len);
    memcpy(out, text, len);
    out[len] = '\0';
    BIO_free(bio);
    return len;
}
