#include "keyd/scheme.h"

#include <string.h>

#include <openssl/sha.h>

size_t scheme_digest_len(uint16_t scheme)
{
    switch (scheme) {
    case SCHEME_ECDSA_P256_SHA256:
    case SCHEME_RSA_PSS_SHA256: return SHA256_DIGEST_LENGTH;
    case SCHEME_ECDSA_P384_SHA384:
    case SCHEME_RSA_PSS_SHA384: return SHA384_DIGEST_LENGTH;
    case SCHEME_RSA_PSS_SHA512: return SHA512_DIGEST_LENGTH;
    default: return 0;
    }
}

bool scheme_hash(struct digest *out, uint16_t scheme, struct bytes content)
{
    out->scheme = scheme;
    out->len = scheme_digest_len(scheme);
    switch (out->len) {
    case SHA256_DIGEST_LENGTH: SHA256(content.data, content.len, out->data); return true;
    case SHA384_DIGEST_LENGTH: SHA384(content.data, content.len, out->data); return true;
    case SHA512_DIGEST_LENGTH: SHA512(content.data, content.len, out->data); return true;
    default: return false;
    }
}

bool scheme_take(struct digest *out, uint16_t scheme, struct bytes data)
{
    out->scheme = scheme;
    out->len = scheme_digest_len(scheme);
    if (out->len == 0 || out->len != data.len) return false;
    memcpy(out->data, data.data, data.len);
    return true;
}
