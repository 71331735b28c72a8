/* The CAs whose clients are let in: those that the broker names, and those of the operator's PEM file.
 *
 * The file is parsed here, in the sandboxed process, and not by the broker, which keeps out of certificates. */
#ifndef KEYWARD_WEB_TRUST_H
#define KEYWARD_WEB_TRUST_H

#include <openssl/base.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"

/* trust_load adds to store, and to the list of names that a CertificateRequest carries (DER), the certificates in cas (DER)
 * and, if pem_fd is not -1, those in that file, which is read from its start without moving its offset (other workers
 * share it). An intermediate CA may be an anchor. digest is updated with the SHA-256 of each.
 *
 * ERR_INPUT with a diagnostic (which certificate, why): not parsable, not a CA, a private key in the file, too large,
 * more names than a CertificateRequest should have. ERR_SYSTEM: the file cannot be read. */
MUST_CHECK enum err trust_load(X509_STORE *store, STACK_OF(CRYPTO_BUFFER) * names, SHA256_CTX *digest,
                               const struct bytes *cas, size_t num_cas, int pem_fd, struct diag *diag);

#endif
