/* Certificates (RFC 5280) written from typed fields under one of three fixed profiles. Nothing is ever parsed here, and
 * no caller can ask for an extension: what a profile says is all there is. */
#ifndef KEYWARD_KEYD_CERTIFICATE_H
#define KEYWARD_KEYD_CERTIFICATE_H

#include <openssl/base.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

enum certificate_profile {
    CERTIFICATE_CA,     /* signs certificates, revocation lists, and what it says of them (OCSP); no CA below it */
    CERTIFICATE_SERVER, /* TLS server authentication */
    CERTIFICATE_CLIENT, /* TLS client authentication */
    CERTIFICATE_NUM_PROFILES
};

#define CERTIFICATE_POINT 65u       /* an uncompressed P-256 point */
#define CERTIFICATE_SERIAL 16u      /* positive, and its first octet not zero */
#define CERTIFICATE_COMMON_NAME 64u /* bytes; RFC 5280, A.1: ub-common-name */

struct certificate_spec {
    enum certificate_profile profile;
    const char *subject; /* common names, UTF-8, 1 to CERTIFICATE_COMMON_NAME bytes */
    const char *issuer;
    uint8_t serial[CERTIFICATE_SERIAL];
    uint64_t not_before; /* seconds since the epoch, up to the year 9999 */
    uint64_t not_after;
    uint8_t subject_point[CERTIFICATE_POINT];
    uint8_t issuer_point[CERTIFICATE_POINT]; /* the same as the subject's for a CA */
    const char *const *dns_names;            /* for a server alone; ASCII */
    size_t num_dns_names;
    const struct bytes *ip_addresses; /* for a server alone; 4 or 16 bytes each */
    size_t num_ip_addresses;
};

/* certificate_write writes spec as DER, signed by issuer. ERR_CRYPTO: BoringSSL refused. ERR_TOO_LARGE: over
 * LIMIT_CERTIFICATE. */
MUST_CHECK enum err certificate_write(uint8_t out[LIMIT_CERTIFICATE], size_t *out_len,
                                      const struct certificate_spec *spec, const EC_KEY *issuer);

#endif
