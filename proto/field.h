/* What a single field may hold. Used on both ways: what is decoded, and what is about to be encoded. */
#ifndef KEYWARD_PROTO_FIELD_H
#define KEYWARD_PROTO_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* field_text says whether text is well-formed UTF-8 (RFC 3629) of min to max bytes without control characters (C0, DEL,
 * C1). NULL counts as the empty text. */
bool field_text(const char *text, size_t min, size_t max);

/* field_texts says it of each of num texts. */
bool field_texts(const char *const *texts, size_t num, size_t min, size_t max);

/* field_text_repair copies text to out, at most out_len - 1 bytes of it, with '?' for every byte that field_text would
 * not take. */
void field_text_repair(char *out, size_t out_len, const char *text);

/* field_certificate says whether der may be a certificate: 1 to LIMIT_CERTIFICATE bytes. It is not parsed. */
bool field_certificate(struct bytes der);

/* field_certificates says it of each of num. */
bool field_certificates(const struct bytes *ders, size_t num);

/* field_serial says whether serial may be a certificate's serial number: 1 to LIMIT_SERIAL bytes, big-endian, without leading
 * zeros (the number zero is one byte). */
bool field_serial(struct bytes serial);

/* field_pid says whether pid is one that a process can have. */
bool field_pid(uint32_t pid);

#endif
