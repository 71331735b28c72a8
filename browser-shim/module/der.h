/* The little DER (X.690) that the module needs: where a certificate's fields are, and what a signature's numbers are.
 *
 * Everything read here comes from keyd and is bounds-checked all the same. Nothing is allocated. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_DER_H
#define KEYWARD_BROWSER_SHIM_MODULE_DER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

#define DER_P256_SIGNATURE 64 /* r and s, 32 bytes each, as PKCS#11 wants them (2.40, 2.3.1) */

/* Spans into the certificate, each with its own tag and length (RFC 5280, 4.1). */
struct der_certificate {
    struct bytes serial;  /* INTEGER */
    struct bytes issuer;  /* Name */
    struct bytes subject; /* Name */
    bool is_p256;         /* the subject's key is an EC key on secp256r1 (RFC 5480, 2.1.1) */
};

/* der_read_certificate finds the fields. ERR_MALFORMED: der is not exactly one certificate, or not DER. */
MUST_CHECK enum err der_read_certificate(struct der_certificate *out, struct bytes der);

/* der_read_signature turns an Ecdsa-Sig-Value (RFC 3279, 2.2.3) into r and s, each filled up with zeros on the left.
 * ERR_MALFORMED: not DER, bytes left over, or a number that is not in 1 .. 2^256 - 1. */
MUST_CHECK enum err der_read_signature(uint8_t out[DER_P256_SIGNATURE], struct bytes der);

#endif
