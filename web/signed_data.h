/* What somebody has signed, as revocation lists and OCSP responses have it: SIGNED{} of X.509 (RFC 5280, 4.1.1). */
#ifndef KEYWARD_WEB_SIGNED_DATA_H
#define KEYWARD_WEB_SIGNED_DATA_H

#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

struct signed_data {
    struct bytes data;      /* what is signed: a SEQUENCE, DER */
    struct bytes algorithm; /* the contents of signatureAlgorithm */
    struct bytes signature;
};

/* signed_data_take takes the three of them out of in, which points where they are. */
bool signed_data_take(struct signed_data *out, CBS *in);

/* signed_data_verify says whether key has signed it, with SHA-256 or better. ERR_DENIED: it has not. ERR_INPUT with a
 * diagnostic: this kind of signature is not taken. */
MUST_CHECK enum err signed_data_verify(const struct signed_data *signed_data, EVP_PKEY *key, struct diag *diag);

#endif
