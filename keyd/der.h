/* Pieces of DER that certificates (RFC 5280) and OCSP responses (RFC 6960) have in common, written with CBB: false if it is out of room. */
#ifndef KEYWARD_KEYD_DER_H
#define KEYWARD_KEYD_DER_H

#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DER_EXPLICIT(n) (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | (n))

bool der_add_element(CBB *out, CBS_ASN1_TAG tag, const uint8_t *data, size_t len);

#define DER_ADD_OID(out, oid) der_add_element((out), CBS_ASN1_OBJECT, (oid), sizeof(oid))

bool der_add_bit_string(CBB *out, const uint8_t *data, size_t len);

/* der_add_name writes a name of one relative name of one attribute, CN: UTF-8. */
bool der_add_name(CBB *out, const char *common_name);

/* der_add_time writes it as certificates have it, with two digits of the year until 2049; der_add_generalized_time with four always.
 * when: seconds since the epoch, up to the year 9999. */
bool der_add_time(CBB *out, uint64_t when);
bool der_add_generalized_time(CBB *out, uint64_t when);

/* der_add_signature_algorithm writes that of der_add_signed: ECDSA with SHA-256. */
bool der_add_signature_algorithm(CBB *out);

/* der_add_signed writes the three parts of what somebody has signed: the data (a SEQUENCE, DER), the algorithm, and issuer's signature. */
bool der_add_signed(CBB *out, const uint8_t *data, size_t len, const EC_KEY *issuer);

#endif
