/* The key that signs heads of the audit log, and nothing else: no purpose of a channel leads to it, and what it signs
 * begins as no handshake's content does. Made at the setup, gone with the process. */
#ifndef KEYWARD_KEYD_AUDIT_KEY_H
#define KEYWARD_KEYD_AUDIT_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/audit_head.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

#define AUDIT_KEY_SIGNATURE 72u /* the longest DER Ecdsa-Sig-Value of P-256 */

struct audit_key;

/* NULL: BoringSSL failed. */
struct audit_key *audit_key_new(void);
void audit_key_free(struct audit_key *key);

/* audit_key_public returns the SubjectPublicKeyInfo, DER; it lives as long as the key. */
struct bytes audit_key_public(const struct audit_key *key);

/* audit_key_sign signs that the log has number records, the last with this hash. Its s is the lower of the two that
 * would do, so that a signature has one form. ERR_DENIED: the number is not above the last one that was signed: there is
 * one log, and it only grows. ERR_CRYPTO. */
MUST_CHECK enum err audit_key_sign(struct audit_key *key, uint8_t out[AUDIT_KEY_SIGNATURE], size_t *out_len,
                                   uint64_t number, const uint8_t hash[AUDIT_HEAD_HASH]);

#endif
