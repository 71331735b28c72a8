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

static EVP_PKEY *make_key(int curve)
{
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
    add_extension(cert.x509, NID_key_usage, request->is_ca ? "critical,keyCertSign" : "critical,digitalSignature");
    if (!request->is_ca && request->eku >= 0)
        add_extension(cert.x509, NID_ext_key_usage, OBJ_nid2sn(request->eku != 0 ? request->eku : NID_client_auth));
    CHECK(X509_sign(cert.x509, issuer->key, request->sha1 ? EVP_sha1() : EVP_sha256()));
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
