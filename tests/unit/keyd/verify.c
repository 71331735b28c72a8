#include "tests/unit/keyd/verify.h"

#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <string.h>

X509 *verify_parse(struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate != NULL && at == der.data + der.len) return certificate;
    X509_free(certificate);
    return NULL;
}

bool verify_digest_signature(struct bytes certificate, struct bytes digest, struct bytes signature)
{
    X509 *parsed = verify_parse(certificate);
    EVP_PKEY *key = parsed != NULL ? X509_get_pubkey(parsed) : NULL;
    const bool good = key != NULL && ECDSA_verify(0, digest.data, digest.len, signature.data, signature.len,
                                                  EVP_PKEY_get0_EC_KEY(key)) == 1;
    EVP_PKEY_free(key);
    X509_free(parsed);
    return good;
}

bool verify_signature(struct bytes certificate, struct bytes content, struct bytes signature)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(content.data, content.len, digest);
    return verify_digest_signature(certificate, (struct bytes){digest, sizeof(digest)}, signature);
}

static const EVP_MD *hash_of(uint16_t scheme)
{
    return scheme == 0x0403 || scheme == 0x0804 ? EVP_sha256() : scheme == 0x0806 ? EVP_sha512() : EVP_sha384();
}

bool verify_scheme(struct bytes certificate, uint16_t scheme, struct bytes content, struct bytes signature)
{
    X509 *parsed = verify_parse(certificate);
    EVP_PKEY *key = parsed != NULL ? X509_get_pubkey(parsed) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    const bool is_rsa = scheme >> 8 == 0x08;
    const bool good = key != NULL && (EVP_PKEY_id(key) == EVP_PKEY_RSA) == is_rsa &&
                      EVP_DigestVerifyInit(context, &options, hash_of(scheme), NULL, key) == 1 &&
                      (!is_rsa || (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
                                   EVP_PKEY_CTX_set_rsa_pss_saltlen(options, -1) == 1)) &&
                      EVP_DigestVerify(context, signature.data, signature.len, content.data, content.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    X509_free(parsed);
    return good;
}

static int verify_in(X509_STORE *store, X509 *leaf, int purpose, const char *host)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int result = -1;
    if (X509_STORE_CTX_init(context, store, leaf, NULL)) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_purpose(param, purpose);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
        if (host != NULL) X509_VERIFY_PARAM_set1_host(param, host, strlen(host));
        X509_verify_cert(context);
        result = X509_STORE_CTX_get_error(context);
    }
    X509_STORE_CTX_free(context);
    return result;
}

int verify_chain(struct bytes leaf, struct bytes ca, int purpose, const char *host)
{
    X509 *parsed_leaf = verify_parse(leaf), *parsed_ca = verify_parse(ca);
    X509_STORE *store = X509_STORE_new();
    int result = -1;
    if (parsed_leaf != NULL && parsed_ca != NULL && X509_STORE_add_cert(store, parsed_ca))
        result = verify_in(store, parsed_leaf, purpose, host);
    X509_STORE_free(store);
    X509_free(parsed_ca);
    X509_free(parsed_leaf);
    return result;
}
