#include "base/audit_head.h"

#include <string.h>

void audit_head_content(uint8_t out[AUDIT_HEAD_CONTENT], uint64_t number, const uint8_t hash[AUDIT_HEAD_HASH])
{
    memcpy(out, AUDIT_HEAD_CONTEXT, sizeof AUDIT_HEAD_CONTEXT); /* its NUL is the zero byte */
    uint8_t *at = out + sizeof AUDIT_HEAD_CONTEXT;
    for (unsigned i = 0; i < 8; i++) *at++ = (uint8_t)(number >> (56 - 8 * i));
    memcpy(at, hash, AUDIT_HEAD_HASH);
}
