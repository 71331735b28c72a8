/* The kinds of values that options have, read from text. Each returns ERR_INPUT with what is wrong and what is wanted;
 * the caller adds where it stood. */
#ifndef KEYWARD_BROKER_VALUE_H
#define KEYWARD_BROKER_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

/* value_number reads digits alone. */
MUST_CHECK enum err value_number(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct diag *diag);

/* value_size reads bytes, with K, M or G for 2^10, 2^20, 2^30. */
MUST_CHECK enum err value_size(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct diag *diag);

/* value_duration reads seconds, with s, m, h or d behind. */
MUST_CHECK enum err value_duration(uint64_t *out, const char *text, uint64_t min_s, uint64_t max_s, struct diag *diag);

/* value_serial reads a certificate's serial number in hexadecimal, perhaps with colons between its bytes, and writes it as
 * field_serial (proto/field.h) wants it. */
MUST_CHECK enum err value_serial(uint8_t out[LIMIT_SERIAL], size_t *out_len, const char *text, struct diag *diag);

/* value_switch reads yes or no. */
MUST_CHECK enum err value_switch(bool *out, const char *text, struct diag *diag);

/* value_text copies text that is not empty, fits and has no control characters. */
MUST_CHECK enum err value_text(char *out, size_t out_len, const char *text, struct diag *diag);

/* value_dns_name says whether text is a host name (RFC 1123, 2.1). */
bool value_dns_name(const char *text);

#endif
