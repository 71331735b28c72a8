/* The little DER (X.690) that the module needs: where a certificate's fields are, and what a signature's numbers are.
 *
 * Everything read here comes from keyd and is bounds-checked all the same. Nothing is allocated. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_DER_H
#define KEYWARD_BROWSER_SHIM_MODULE_DER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

/* What kind of key a certificate is for. */
enum der_key { DER_KEY_OTHER, DER_KEY_P256, DER_KEY_P384, DER_KEY_RSA };

/* Spans into the certificate, each with its own tag and length (RFC 5280, 4.1), but for the two numbers, which are without
 * and have no leading zeros. */
struct der_certificate {
    struct bytes serial;  /* INTEGER */
    struct bytes issuer;  /* Name */
    struct bytes subject; /* Name */
    enum der_key key;
    struct bytes curve;    /* of an EC key: OBJECT IDENTIFIER (RFC 5480, 2.1.1) */
    struct bytes modulus;  /* of an RSA key (RFC 8017, A.1.1) */
    struct bytes exponent; /* likewise */
};

/* der_read_certificate finds the fields. ERR_MALFORMED: der is not exactly one certificate, or not DER. */
MUST_CHECK enum err der_read_certificate(struct der_certificate *out, struct bytes der);

/* der_read_signature turns an Ecdsa-Sig-Value (RFC 3279, 2.2.3) into r and s, as PKCS#11 wants them (2.40, 2.3.1): each
 * filled up with zeros on the left to half of out_len. ERR_MALFORMED: not DER, bytes left over, or a number that is not
 * positive or does not fit. */
MUST_CHECK enum err der_read_signature(uint8_t *out, size_t out_len, struct bytes der);

#endif
