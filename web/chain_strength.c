#include "web/chain_strength.h"

#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/certificate.h"

enum { MIN_RSA_BITS = 2048 };

static bool complain(char *out, size_t out_len, const char *what, X509 *certificate)
{
    struct certificate_text text;
    bool readable = certificate_describe(&text, certificate) == ERR_OK;
    snprintf(out, out_len, "certificate too weak: %s (subject %s)", what, readable ? text.subject : "?");
    return false;
}

/* A signature whose kind does not name a hash (RSA-PSS, Ed25519) is never of SHA-1 in BoringSSL. */
static bool is_signed_with_sha1(const X509 *certificate)
{
    int hash = NID_undef;
    return OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &hash, NULL) && hash == NID_sha1;
}

bool chain_strength_check(char *out, size_t out_len, const STACK_OF(X509) * chain)
{
    size_t num = sk_X509_num(chain);
    for (size_t i = 0; i < num; i++) {
        X509 *certificate = sk_X509_value(chain, i);
        EVP_PKEY *key = X509_get_pubkey(certificate);
        bool weak = key == NULL || (EVP_PKEY_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) < MIN_RSA_BITS);
        EVP_PKEY_free(key);
        if (weak) return complain(out, out_len, "RSA key of less than 2048 bits", certificate);
        if (i + 1 < num && is_signed_with_sha1(certificate))
            return complain(out, out_len, "signed with SHA-1", certificate);
    }
    return true;
}
