#include "web/server_key.h"

#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/auto.h"

enum { BIT_ECDSA = 1, BIT_RSA = 2 };

static void auto_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

enum err server_key_complain(struct diag *diag, enum err err, const char *name, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (name == NULL) return diag_set(diag, err, "the server's certificate: %s", text);
    return diag_set(diag, err, "[certificate \"%s\"] certificate: %s", name, text);
}

static struct server_key read_key(const EVP_PKEY *key)
{
    const int bits = EVP_PKEY_bits(key);
    if (EVP_PKEY_id(key) == EVP_PKEY_EC) {
        switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)))) {
        case NID_X9_62_prime256v1: return (struct server_key){{SSL_SIGN_ECDSA_SECP256R1_SHA256}, 1};
        case NID_secp384r1: return (struct server_key){{SSL_SIGN_ECDSA_SECP384R1_SHA384}, 1};
        default: return (struct server_key){.num_schemes = 0};
        }
    }
    if (EVP_PKEY_id(key) != EVP_PKEY_RSA || (bits != 2048 && bits != 3072 && bits != 4096))
        return (struct server_key){.num_schemes = 0};
    return (struct server_key){
        {SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA512}, 3};
}

unsigned server_key_bit(const struct server_key *key)
{
    return key->schemes[0] == SSL_SIGN_RSA_PSS_RSAE_SHA256 ? BIT_RSA : BIT_ECDSA;
}

unsigned server_key_bit_of_suite(int auth_nid)
{
    if (auth_nid == NID_auth_ecdsa) return BIT_ECDSA;
    return auth_nid == NID_auth_rsa ? BIT_RSA : 0;
}

bool server_key_does(const struct server_key *key, uint16_t scheme)
{
    for (size_t i = 0; i < key->num_schemes; i++)
        if (key->schemes[i] == scheme) return true;
    return false;
}

/* Which of the suites a handshake may have follows from the server's key. */
static enum err check_suites(const struct server_key *key, const char *name, const struct tls_terms *terms,
                             struct diag *diag)
{
    const bool is_rsa = server_key_bit(key) == BIT_RSA;
    const char *kind = is_rsa ? "RSA" : "ECDSA";
    if (!terms->tls12 || terms->suites == 0) return ERR_OK;
    if ((terms->suites & (is_rsa ? TLS_SUITES_RSA : TLS_SUITES_ECDSA)) != 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT,
                    "[tls] suites: none fits the %s%s%s key, which is %s; add ECDHE-%s-... or set min_version = 1.3",
                    name == NULL ? "server's" : "certificate \"", name == NULL ? "" : name, name == NULL ? "" : "\"'s",
                    kind, kind);
}

enum err server_key_read(struct server_key *out, X509 *certificate, const char *name, const struct tls_terms *terms,
                         struct diag *diag)
{
    AUTO(auto_key) EVP_PKEY *key = X509_get_pubkey(certificate);
    *out = key != NULL ? read_key(key) : (struct server_key){.num_schemes = 0};
    ERR_clear_error();
    if (out->num_schemes > 0) return check_suites(out, name, terms, diag);
    return server_key_complain(diag, ERR_INPUT, name,
                               "its key is not one that keyd signs with: ECDSA P-256 or P-384, or RSA of 2048, 3072 or "
                               "4096 bits");
}
