/* A verifier that owes nothing to keyd's code: BoringSSL's X.509. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_VERIFY_H
#define KEYWARD_TESTS_UNIT_KEYD_VERIFY_H

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

#include "base/bytes.h"

/* verify_parse reads a certificate, and that nothing follows it. The caller frees it. */
X509 *verify_parse(struct bytes der);

/* verify_signature checks an ECDSA signature of the SHA-256 of content by the certificate's key. */
bool verify_signature(struct bytes certificate, struct bytes content, struct bytes signature);
bool verify_digest_signature(struct bytes certificate, struct bytes digest, struct bytes signature);

/* verify_scheme checks a TLS signature of content under a scheme by its IANA number. */
bool verify_scheme(struct bytes certificate, uint16_t scheme, struct bytes content, struct bytes signature);

/* verify_chain returns X509_V_OK or why leaf is not good for purpose (X509_PURPOSE_SSL_SERVER, ..._CLIENT) under ca. */
int verify_chain(struct bytes leaf, struct bytes ca, int purpose, const char *host);

#endif
