#include "keyd/purpose.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/nid.h>

#include "base/check.h"

#define CURVE_TYPE_NAMED 3 /* RFC 8422, 5.4 */

static const char *const tls13_contexts[] = {
    [PURPOSE_ROLE_SERVER] = "TLS 1.3, server CertificateVerify",
    [PURPOSE_ROLE_CLIENT] = "TLS 1.3, client CertificateVerify",
};

void purpose_tls13_content(uint8_t out[PURPOSE_TLS13_CONTENT], size_t *out_len, enum purpose_role role,
                           struct bytes transcript_hash)
{
    CHECK(transcript_hash.len <= 48);
    uint8_t *at = out;
    memset(at, 0x20, 64);
    at += 64;
    const size_t context_len = strlen(tls13_contexts[role]) + 1; /* its NUL is the separator */
    memcpy(at, tls13_contexts[role], context_len);
    at += context_len;
    memcpy(at, transcript_hash.data, transcript_hash.len);
    at += transcript_hash.len;
    *out_len = (size_t)(at - out);
}

void purpose_tls12_content(uint8_t out[PURPOSE_TLS12_CONTENT], size_t *out_len, const struct sign_tls12_server *request)
{
    CHECK(request->point.len <= LIMIT_ECDHE_POINT);
    uint8_t *at = out;
    memcpy(at, request->client_random, 32);
    memcpy(at + 32, request->server_random, 32);
    at += 64;
    *at++ = CURVE_TYPE_NAMED;
    *at++ = (uint8_t)(request->group >> 8);
    *at++ = (uint8_t)(request->group & 0xff);
    *at++ = (uint8_t)request->point.len;
    memcpy(at, request->point.data, request->point.len);
    at += request->point.len;
    *out_len = (size_t)(at - out);
}

/* An uncompressed point (RFC 8422, 5.4.1), on the curve and not at infinity. */
static enum refusal check_curve_point(int curve, struct bytes point, size_t point_len)
{
    if (point.len != point_len) return REFUSAL_PARAMETERS; /* which leaves the uncompressed form alone */
    EC_GROUP *group = EC_GROUP_new_by_curve_name(curve);
    EC_POINT *parsed = group != NULL ? EC_POINT_new(group) : NULL;
    enum refusal refusal = REFUSAL_INTERNAL;
    if (parsed != NULL)
        refusal = EC_POINT_oct2point(group, parsed, point.data, point.len, NULL) ? REFUSAL_NONE : REFUSAL_PARAMETERS;
    EC_POINT_free(parsed);
    EC_GROUP_free(group);
    ERR_clear_error();
    return refusal;
}

static enum refusal check_point(uint16_t group, struct bytes point)
{
    switch (group) {
    case GROUP_X25519: return point.len == 32 ? REFUSAL_NONE : REFUSAL_PARAMETERS;
    case GROUP_SECP256R1: return check_curve_point(NID_X9_62_prime256v1, point, 65);
    case GROUP_SECP384R1: return check_curve_point(NID_secp384r1, point, 97);
    default: return REFUSAL_PARAMETERS;
    }
}

enum refusal purpose_tls13(struct digest *out_digest, enum purpose_role role, const struct sign_tls13 *request)
{
    if (scheme_digest_len(request->scheme) == 0) return REFUSAL_SCHEME;
    if (request->transcript_hash.len != 32 && request->transcript_hash.len != 48) return REFUSAL_PARAMETERS;
    uint8_t content[PURPOSE_TLS13_CONTENT];
    size_t len;
    purpose_tls13_content(content, &len, role, request->transcript_hash);
    return scheme_hash(out_digest, request->scheme, (struct bytes){content, len}) ? REFUSAL_NONE : REFUSAL_SCHEME;
}

enum refusal purpose_tls12_server(struct digest *out_digest, const struct sign_tls12_server *request)
{
    if (scheme_digest_len(request->scheme) == 0) return REFUSAL_SCHEME;
    enum refusal refusal = check_point(request->group, request->point);
    if (refusal != REFUSAL_NONE) return refusal;
    uint8_t content[PURPOSE_TLS12_CONTENT];
    size_t len;
    purpose_tls12_content(content, &len, request);
    return scheme_hash(out_digest, request->scheme, (struct bytes){content, len}) ? REFUSAL_NONE : REFUSAL_SCHEME;
}
