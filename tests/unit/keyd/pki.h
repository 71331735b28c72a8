/* Certificates as other people's CAs issue them, good and bad. A failure fails the test; nothing is freed before the
 * process ends. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_PKI_H
#define KEYWARD_TESTS_UNIT_KEYD_PKI_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum pki_kind {
    PKI_P224,
    PKI_P256,
    PKI_P384,
    PKI_P521,
    PKI_ED25519,
    PKI_RSA1024,
    PKI_RSA2047,
    PKI_RSA2048,
    PKI_RSA4096,
};

/* pki_key makes a new key. */
EVP_PKEY *pki_key(enum pki_kind kind);

/* Extensions are in the words of x509v3_config(5); NULL: there is none. */
struct pki_spec {
    const char *subject; /* its common name, as the next */
    const char *issuer;
    EVP_PKEY *key, *signer;
    const EVP_MD *hash; /* NULL: SHA-256, or the signer's own */
    int64_t not_before, not_after;
    const char *names;       /* subjectAltName */
    struct bytes names_der;  /* the same in DER, instead */
    const char *constraints; /* basicConstraints */
    const char *usage, *ext_usage, *name_constraints, *key_id;
    const char *unknown; /* an extension that nobody knows, as "critical,DER:0500" */
    size_t padding;      /* octets of another one */
    bool version1;       /* X.509 v1, without any of them */
};

struct bytes pki_issue(const struct pki_spec *spec);

/* pki_sign signs content as a TLS 1.3 server does under this scheme (RFC 8446, 4.2.3); at most 1024 octets. */
struct bytes pki_sign(EVP_PKEY *key, uint16_t scheme, struct bytes content);

#endif
