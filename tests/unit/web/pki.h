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
    int eku;           /* a NID; 0: NID_client_auth; -1: no such extension */
    int curve;         /* a NID; 0: NID_X9_62_prime256v1 */
    int rsa_bits;      /* 0: a curve */
    bool sha1;         /* instead of SHA-256 */
    long not_before_s; /* from now */
    long not_after_s;  /* from now; 0: an hour */
};

struct pki_cert pki_make(const struct pki_request *request);
void pki_free(struct pki_cert *cert);

/* pki_ca and pki_client are the common cases. */
struct pki_cert pki_ca(const char *name);
struct pki_cert pki_client(const struct pki_cert *issuer);

/* pki_pem writes the certificate in PEM to out (NUL-terminated) and returns its length. */
size_t pki_pem(char *out, size_t out_len, const struct pki_cert *cert);

#endif
