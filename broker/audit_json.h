/* Words of a record as a JSON string (RFC 8259, 7) of printable ASCII: everything else is written as \uXXXX. */
#ifndef KEYWARD_BROKER_AUDIT_JSON_H
#define KEYWARD_BROKER_AUDIT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* audit_json_point reads one code point of UTF-8 text and returns how many bytes it takes; what is no UTF-8 is one byte
 * and comes out as U+FFFD. Not to be called at the end of the text. */
size_t audit_json_point(uint32_t *out, const char *text);

/* audit_json_utf8 writes the code point, at most 4 bytes, and returns how many. */
size_t audit_json_utf8(char out[4], uint32_t point);

/* audit_json_write writes text in quotes and returns the length: at most six times that of text, and 2. */
size_t audit_json_write(char *out, const char *text);

/* audit_json_read reads what that writes, at *at, and moves *at behind it. False: it is no such string, it is
 * cut off by end, or it does not fit. */
bool audit_json_read(char *out, size_t out_len, const char **at, const char *end);

#endif
