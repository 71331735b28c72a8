/* What keyd signs, built here from typed fields; no request carries it. Each function writes the digest of the content
 * of one kind of TLS signature, or says why there is none. Whether a key does the scheme is keyd/dispatch.c's to ask. */
#ifndef KEYWARD_KEYD_PURPOSE_H
#define KEYWARD_KEYD_PURPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "keyd/scheme.h"
#include "proto/message.h"

enum purpose_role { PURPOSE_ROLE_SERVER, PURPOSE_ROLE_CLIENT };

/* 64 spaces, a context string, a zero byte and a hash of at most 48 bytes (RFC 8446, 4.4.3). */
#define PURPOSE_TLS13_CONTENT (64u + 33u + 1u + 48u)

/* Two randoms and ServerECDHParams: curve type, named curve, length, point (RFC 8422, 5.4). */
#define PURPOSE_TLS12_CONTENT (32u + 32u + 4u + LIMIT_ECDHE_POINT)

/* purpose_tls13_content writes the content of a CertificateVerify. The hash has 32 or 48 bytes. */
void purpose_tls13_content(uint8_t out[PURPOSE_TLS13_CONTENT], size_t *out_len, enum purpose_role role,
                           struct bytes transcript_hash);

/* purpose_tls12_content writes the content of a ServerKeyExchange's signature. */
void purpose_tls12_content(uint8_t out[PURPOSE_TLS12_CONTENT], size_t *out_len,
                           const struct sign_tls12_server *request);

/* REFUSAL_SCHEME, REFUSAL_PARAMETERS, or REFUSAL_NONE with out_digest written. REFUSAL_INTERNAL: no memory. */
enum refusal purpose_tls13(struct digest *out_digest, enum purpose_role role, const struct sign_tls13 *request);
enum refusal purpose_tls12_server(struct digest *out_digest, const struct sign_tls12_server *request);

#endif
