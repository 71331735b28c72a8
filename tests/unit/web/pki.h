/* Keys and certificates for tests, made afresh in each. Whatever cannot be made fails a CHECK. */
#ifndef KEYWARD_TESTS_UNIT_WEB_PKI_H
#define KEYWARD_TESTS_UNIT_WEB_PKI_H

#include <openssl/base.h>

#include "base/bytes.h"

struct pki_cert {
    EVP_PKEY *key;
    X509 *x509;
    struct bytes der;
};

/* Zero state: a P-256 leaf, valid now, for client authentication. */
struct pki_request {
    const char *name;              /* the common name */
    const struct pki_cert *issuer; /* NULL: signed by itself */
    bool is_ca;
    bool no_crl_sign;  /* a CA that may not sign revocation lists */
    int eku;           /* a NID; 0: NID_client_auth; -1: no such extension */
    int curve;         /* a NID, NID_ED25519 too; 0: NID_X9_62_prime256v1 */
    int rsa_bits;      /* 0: a curve */
    bool sha1;         /* instead of SHA-256 */
    long not_before_s; /* from now */
    long not_after_s;  /* from now; 0: an hour */
};

enum { PKI_REVOKED = 8 };

/* Zero state: a list without entries, valid now, version 2, SHA-256. */
struct pki_crl_request {
    const struct pki_cert *issuer;
    const struct pki_cert *signer; /* NULL: the issuer */
    const struct pki_cert *revoked[PKI_REVOKED];
    uint32_t further;   /* so many entries more, with serial numbers of their own */
    int reason;         /* of each; 0: none */
    long this_update_s; /* from now; 0: a minute ago */
    long next_update_s; /* from now; 0: an hour */
    bool no_next_update;
    bool version1;
    const EVP_MD *md; /* NULL: SHA-256 */
    bool pss;
    int extension;       /* a NID; 0: none */
    int entry_extension; /* the same, of each entry */
    bool critical;       /* both */
    struct bytes value;  /* of both, DER */
};

/* pki_crl makes a revocation list, DER, which is kept to the end of the test. */
struct bytes pki_crl(const struct pki_crl_request *request);

/* pki_crl_pem writes it in PEM to out (NUL-terminated) and returns its length. */
size_t pki_crl_pem(char *out, size_t out_len, struct bytes crl);

struct pki_cert pki_make(const struct pki_request *request);
void pki_free(struct pki_cert *cert);

/* pki_ca and pki_client are the common cases. */
struct pki_cert pki_ca(const char *name);
struct pki_cert pki_client(const struct pki_cert *issuer);

/* pki_pem writes the certificate in PEM to out (NUL-terminated) and returns its length. */
size_t pki_pem(char *out, size_t out_len, const struct pki_cert *cert);

#endif
