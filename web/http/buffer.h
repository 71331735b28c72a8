/* Bytes that are appended at one end and taken from the other. Zero state: empty. */
#ifndef KEYWARD_WEB_HTTP_BUFFER_H
#define KEYWARD_WEB_HTTP_BUFFER_H

#include "base/bytes.h"
#include "base/err.h"

struct buffer {
    uint8_t *data;
    size_t start; /* of what is left */
    size_t end;
    size_t cap;
};

/* buffer_append copies bytes to the end. ERR_TOO_LARGE: more than max would be left. ERR_MEMORY. */
MUST_CHECK enum err buffer_append(struct buffer *buffer, struct bytes data, size_t max);

/* buffer_left returns what is left, until the next append. */
struct bytes buffer_left(const struct buffer *buffer);

/* buffer_drop takes len bytes from the front; an empty buffer keeps its memory. */
void buffer_drop(struct buffer *buffer, size_t len);

/* buffer_take copies up to cap bytes from the front to out, drops them, and returns how many. */
size_t buffer_take(struct buffer *buffer, uint8_t *out, size_t cap);

/* buffer_free frees the memory and makes the buffer empty. */
void buffer_free(struct buffer *buffer);

#endif
