/* Whether keyd's key signed a head of the audit log. Public operations only: the broker never has a private key. */
#ifndef KEYWARD_BROKER_AUDIT_SIGNATURE_H
#define KEYWARD_BROKER_AUDIT_SIGNATURE_H

#include "broker/audit_record.h"

/* audit_key_fingerprint writes the SHA-256 of a SubjectPublicKeyInfo. False: it is none of a P-256 key. */
bool audit_key_fingerprint(uint8_t out[AUDIT_HASH], struct bytes public_key);

/* audit_end_hash is what keyd signs in place of the last record's hash when the log is closed. So a head is never an end:
 * otherwise whoever may write the file could cut it off behind a record that there is a head of, and close it with that
 * head's signature. */
void audit_end_hash(uint8_t out[AUDIT_HASH], const uint8_t hash[AUDIT_HASH]);

/* audit_signature_good says whether it is that key's, in its one form, of this head (base/audit_head.h). */
bool audit_signature_good(struct bytes public_key, uint64_t number, const uint8_t hash[AUDIT_HASH],
                          struct bytes signature);

#endif
