#include "keyd/server_verify.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/auto.h"
#include "base/limits.h"
#include "keyd/name.h"

#define RSA_BITS_MIN 2048u
#define RSA_BITS_MAX 8192u

static void free_x509(X509 **x509)
{
    X509_free(*x509);
}

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_store(X509_STORE **store)
{
    X509_STORE_free(*store);
}

static void free_chain(STACK_OF(X509) * *chain)
{
    sk_X509_pop_free(*chain, X509_free);
}

static void free_path(X509_STORE_CTX **path)
{
    X509_STORE_CTX_free(*path);
}

/* A certificate and nothing behind it. */
static X509 *parse(struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *x509 = der.len <= LIMIT_CERTIFICATE ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    if (x509 != NULL && at == der.data + der.len) return x509;
    X509_free(x509);
    return NULL;
}

/* ---- Keys and algorithms ---------------------------------------------------------------------------------------- */

static bool is_strong_key(X509 *x509)
{
    AUTO(free_key) EVP_PKEY *key = X509_get_pubkey(x509);
    switch (key != NULL ? EVP_PKEY_id(key) : EVP_PKEY_NONE) {
    case EVP_PKEY_RSA: return EVP_PKEY_bits(key) >= (int)RSA_BITS_MIN && EVP_PKEY_bits(key) <= (int)RSA_BITS_MAX;
    case EVP_PKEY_EC: {
        const int curve = EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)));
        return curve == NID_X9_62_prime256v1 || curve == NID_secp384r1;
    }
    case EVP_PKEY_ED25519: return true;
    default: return false;
    }
}

/* BoringSSL takes RSA-PSS on certificates with these three digests alone. */
static bool is_strong_signature(const X509 *x509)
{
    switch (X509_get_signature_nid(x509)) {
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption:
    case NID_rsassaPss:
    case NID_ED25519: return true;
    default: return false;
    }
}

/* The pinned certificate is the last; nobody has to believe the signature on that one. */
static bool is_strong_path(const STACK_OF(X509) * path)
{
    const size_t num = sk_X509_num(path);
    for (size_t i = 0; i < num; i++) {
        X509 *x509 = sk_X509_value(path, i);
        if (!is_strong_key(x509) || (i + 1 < num && !is_strong_signature(x509))) return false;
    }
    return true;
}

/* ---- The path --------------------------------------------------------------------------------------------------- */

/* BoringSSL judges the certificates up to the pinned one, but not that one itself. */
static bool is_ca(X509 *x509)
{
    return X509_get_extension_flags(x509) & EXFLAG_CA && X509_check_purpose(x509, X509_PURPOSE_SSL_SERVER, 1) == 1 &&
           !(X509_get_extension_flags(x509) & (EXFLAG_CRITICAL | EXFLAG_INVALID));
}

/* pathLenConstraint of the pinned one (RFC 5280, 4.2.1.9): how many others may stand between it and the server's. */
static bool is_short_enough(const STACK_OF(X509) * path)
{
    const size_t num = sk_X509_num(path);
    const long allowed = X509_get_pathlen(sk_X509_value(path, num - 1));
    return allowed < 0 || num <= 2 || num - 2 <= (size_t)allowed;
}

/* In TLS 1.3 a server signs (RFC 8446, 4.4.2.2). */
static bool signs_handshakes(X509 *leaf)
{
    return X509_get_key_usage(leaf) & X509v3_KU_DIGITAL_SIGNATURE;
}

static bool set_name(X509_VERIFY_PARAM *param, const char *name)
{
    uint8_t address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1) return X509_VERIFY_PARAM_set1_ip(param, address, 4);
    if (inet_pton(AF_INET6, name, address) == 1) return X509_VERIFY_PARAM_set1_ip(param, address, 16);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return name_is_dns(name) && X509_VERIFY_PARAM_set1_host(param, name, strlen(name));
}

/* The pinned certificate may be an intermediate, or the server's own. */
static bool set_rules(X509_STORE_CTX *path, const struct server_wanted *wanted)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(path);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_depth(param, LIMIT_SERVER_CHAIN);
    X509_VERIFY_PARAM_set_time_posix(param, (int64_t)wanted->now_s);
    return X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) && set_name(param, wanted->name);
}

static enum server_verdict verdict_of(int error)
{
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return SERVER_NOT_NAMED;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return SERVER_OUT_OF_TIME;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: return SERVER_MISUSED;
    default: return SERVER_UNTRUSTED;
    }
}

static enum server_verdict verify_path(X509 *ca, STACK_OF(X509) * chain, const struct server_wanted *wanted)
{
    X509 *leaf = sk_X509_value(chain, 0);
    AUTO(free_store) X509_STORE *store = X509_STORE_new();
    AUTO(free_path) X509_STORE_CTX *path = X509_STORE_CTX_new();
    if (store == NULL || path == NULL || !X509_STORE_add_cert(store, ca) ||
        !X509_STORE_CTX_init(path, store, leaf, chain) || !set_rules(path, wanted))
        return SERVER_UNTRUSTED;
    if (X509_verify_cert(path) != 1) return verdict_of(X509_STORE_CTX_get_error(path));

    const STACK_OF(X509) *found = X509_STORE_CTX_get0_chain(path);
    if (!is_strong_path(found)) return SERVER_WEAK;
    return is_short_enough(found) && signs_handshakes(leaf) ? SERVER_GOOD : SERVER_MISUSED;
}

/* ---- The handshake ---------------------------------------------------------------------------------------------- */

/* SignatureScheme (RFC 8446, 4.2.3). */
enum {
    ECDSA_SECP256R1_SHA256 = 0x0403,
    ECDSA_SECP384R1_SHA384 = 0x0503,
    RSA_PSS_RSAE_SHA256 = 0x0804,
    RSA_PSS_RSAE_SHA384 = 0x0805,
    RSA_PSS_RSAE_SHA512 = 0x0806,
    ED25519 = 0x0807,
};

/* What a server may sign with, and the keys that do it. */
static const struct {
    uint16_t scheme;
    int key;
    int curve;                   /* EVP_PKEY_EC alone */
    const EVP_MD *(*hash)(void); /* NULL: the scheme has its own */
} schemes[] = {
    {ECDSA_SECP256R1_SHA256, EVP_PKEY_EC, NID_X9_62_prime256v1, EVP_sha256},
    {ECDSA_SECP384R1_SHA384, EVP_PKEY_EC, NID_secp384r1, EVP_sha384},
    {RSA_PSS_RSAE_SHA256, EVP_PKEY_RSA, NID_undef, EVP_sha256},
    {RSA_PSS_RSAE_SHA384, EVP_PKEY_RSA, NID_undef, EVP_sha384},
    {RSA_PSS_RSAE_SHA512, EVP_PKEY_RSA, NID_undef, EVP_sha512},
    {ED25519, EVP_PKEY_ED25519, NID_undef, NULL},
};

static bool key_does(const EVP_PKEY *key, size_t scheme)
{
    if (EVP_PKEY_id(key) != schemes[scheme].key) return false;
    return schemes[scheme].key != EVP_PKEY_EC ||
           EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key))) == schemes[scheme].curve;
}

/* The salt is as long as the hash (RFC 8446, 4.2.3). */
static bool check_signature(EVP_PKEY *key, size_t scheme, const struct server_shown *shown)
{
    EVP_MD_CTX context;
    EVP_PKEY_CTX *rsa;
    EVP_MD_CTX_init(&context);
    bool good =
        EVP_DigestVerifyInit(&context, &rsa, schemes[scheme].hash != NULL ? schemes[scheme].hash() : NULL, NULL, key);
    if (good && schemes[scheme].key == EVP_PKEY_RSA)
        good = EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_PSS_PADDING) && EVP_PKEY_CTX_set_rsa_pss_saltlen(rsa, -1);
    good = good && EVP_DigestVerify(&context, shown->signature.data, shown->signature.len, shown->content.data,
                                    shown->content.len);
    EVP_MD_CTX_cleanup(&context);
    return good;
}

static enum server_verdict verify_handshake(X509 *leaf, const struct server_shown *shown)
{
    AUTO(free_key) EVP_PKEY *key = X509_get_pubkey(leaf);
    if (key == NULL) return SERVER_WEAK;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (schemes[i].scheme == shown->scheme && key_does(key, i))
            return check_signature(key, i, shown) ? SERVER_GOOD : SERVER_UNSIGNED;
    }
    return SERVER_UNSIGNED;
}

/* ----------------------------------------------------------------------------------------------------------------- */

static enum server_verdict judge(const struct server_wanted *wanted, const struct server_shown *shown)
{
    if (shown->num_chain == 0 || shown->num_chain > LIMIT_SERVER_CHAIN) return SERVER_UNTRUSTED;
    AUTO(free_x509) X509 *ca = parse(wanted->ca);
    AUTO(free_chain) STACK_OF(X509) *chain = sk_X509_new_null();
    if (ca == NULL || chain == NULL) return SERVER_UNREADABLE;
    if (!is_ca(ca)) return SERVER_NO_CA;
    for (size_t i = 0; i < shown->num_chain; i++) {
        X509 *x509 = parse(shown->chain[i]);
        if (x509 != NULL && sk_X509_push(chain, x509) != 0) continue;
        X509_free(x509);
        return SERVER_UNREADABLE;
    }
    const enum server_verdict verdict = verify_path(ca, chain, wanted);
    return verdict == SERVER_GOOD ? verify_handshake(sk_X509_value(chain, 0), shown) : verdict;
}

enum server_verdict server_verify(const struct server_wanted *wanted, const struct server_shown *shown)
{
    const enum server_verdict verdict = judge(wanted, shown);
    ERR_clear_error();
    return verdict;
}

static enum server_verdict judge_wanted(const struct server_wanted *wanted)
{
    uint8_t address[sizeof(struct in6_addr)];
    AUTO(free_x509) X509 *ca = parse(wanted->ca);
    if (ca == NULL) return SERVER_UNREADABLE;
    if (!is_ca(ca)) return SERVER_NO_CA;
    if (!is_strong_key(ca)) return SERVER_WEAK;
    return inet_pton(AF_INET, wanted->name, address) == 1 || inet_pton(AF_INET6, wanted->name, address) == 1 ||
                   name_is_dns(wanted->name)
               ? SERVER_GOOD
               : SERVER_NOT_NAMED;
}

enum server_verdict server_verify_can(const struct server_wanted *wanted)
{
    const enum server_verdict verdict = judge_wanted(wanted);
    ERR_clear_error();
    return verdict;
}
