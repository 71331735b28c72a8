/* Whether keyd's key signed a head of the audit log. Public operations only: the broker never has a private key. */
#ifndef KEYWARD_BROKER_AUDIT_SIGNATURE_H
#define KEYWARD_BROKER_AUDIT_SIGNATURE_H

#include "broker/audit_record.h"

/* audit_key_fingerprint writes the SHA-256 of a SubjectPublicKeyInfo. False: it is none of a P-256 key. */
bool audit_key_fingerprint(uint8_t out[AUDIT_HASH], struct bytes public_key);

/* audit_signature_good says whether it is that key's, in its one form, of this head (base/audit_head.h). */
bool audit_signature_good(struct bytes public_key, uint64_t number, const uint8_t hash[AUDIT_HASH],
                          struct bytes signature);

#endif
