/* A certificate in words, for people, log lines and JSON. */
#ifndef KEYWARD_BASE_CERTIFICATE_H
#define KEYWARD_BASE_CERTIFICATE_H

#include <openssl/base.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

struct certificate_text {
    char subject[LIMIT_SUBJECT + 1]; /* RFC 2253 form, cut if longer */
    char issuer[LIMIT_SUBJECT + 1];
    char serial[2 * 20 + 1];      /* hexadecimal (RFC 5280, 4.1.2.2: at most 20 octets) */
    char fingerprint[2 * 32 + 1]; /* SHA-256 of the DER, hexadecimal */
    uint64_t not_before;          /* seconds since the epoch */
    uint64_t not_after;
};

/* certificate_describe fills out from the certificate. ERR_CRYPTO if a field cannot be read. */
MUST_CHECK enum err certificate_describe(struct certificate_text *out, const X509 *certificate);

#endif
