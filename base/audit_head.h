/* What keyd signs for the audit log, and whoever verifies the log writes again: that it has so many records, the last
 * of which has this hash. */
#ifndef KEYWARD_BASE_AUDIT_HEAD_H
#define KEYWARD_BASE_AUDIT_HEAD_H

#include <stdint.h>

#define AUDIT_HEAD_HASH 32u /* SHA-256 */
#define AUDIT_HEAD_CONTEXT "Keyward audit head"

/* The context, a zero byte, the number (big-endian, 64 bits) and the hash. */
#define AUDIT_HEAD_CONTENT (sizeof AUDIT_HEAD_CONTEXT + 8u + AUDIT_HEAD_HASH)

void audit_head_content(uint8_t out[AUDIT_HEAD_CONTENT], uint64_t number, const uint8_t hash[AUDIT_HEAD_HASH]);

#endif
