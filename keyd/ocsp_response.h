/* What a CA says of a certificate that it has just made (RFC 6960): that it is good, as long as it lasts. There is nobody to ask
 * later, as the CA's key is gone by then. */
#ifndef KEYWARD_KEYD_OCSP_RESPONSE_H
#define KEYWARD_KEYD_OCSP_RESPONSE_H

#include <openssl/base.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "keyd/certificate.h"

/* ocsp_response_write writes an OCSPResponse about the certificate that has been written from spec, signed by issuer, the same key. The
 * CA's certificate (DER) goes with it: a client that is shown the leaf alone finds the signer there (OpenSSL looks nowhere else). ERR_CRYPTO:
 * BoringSSL refused, or it is over LIMIT_OCSP_RESPONSE. */
MUST_CHECK enum err ocsp_response_write(uint8_t out[LIMIT_OCSP_RESPONSE], size_t *out_len,
                                        const struct certificate_spec *spec, const EC_KEY *issuer, struct bytes ca);

#endif
