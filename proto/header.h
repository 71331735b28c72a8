/* A header field that an operator wants on every answer: NAME:VALUE in one line, an empty value to take a field away.
 * The broker says what is wrong with one, and neither end of the channel lets a wrong one pass. */
#ifndef KEYWARD_PROTO_HEADER_H
#define KEYWARD_PROTO_HEADER_H

#include "base/limits.h"

/* The longest line. */
#define HEADER_LINE_LEN (LIMIT_HEADER_NAME + 1u + LIMIT_HEADER_VALUE)

/* header_fault says in words for people why the line is none, a constant; NULL if nothing is wrong. The name is a token
 * (RFC 9110, 5.6.2) and not one that the server sets by itself; the value is printable ASCII without blanks around. */
const char *header_fault(const char *line);

#endif
