/* A view of bytes that somebody else owns. */
#ifndef KEYWARD_BASE_BYTES_H
#define KEYWARD_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
};

/* bytes_equal compares contents; not for secrets, whose comparison must take constant time. */
bool bytes_equal(struct bytes a, struct bytes b);

/* bytes_hex writes the lower-case hexadecimal form of in and a NUL to out, which has room for 2 * in.len + 1. */
void bytes_hex(char *out, struct bytes in);

#endif
