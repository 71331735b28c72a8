#include "web/http/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static enum err make_room(struct buffer *buffer, size_t len)
{
    size_t left = buffer->end - buffer->start;
    if (buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, left);
        buffer->start = 0;
        buffer->end = left;
    }
    if (buffer->cap - left >= len) return ERR_OK;
    size_t cap = buffer->cap < 512 ? 512 : buffer->cap;
    while (cap - left < len) cap *= 2;
    uint8_t *data = realloc(buffer->data, cap);
    if (data == NULL) return ERR_MEMORY;
    buffer->data = data;
    buffer->cap = cap;
    return ERR_OK;
}

enum err buffer_append(struct buffer *buffer, struct bytes data, size_t max)
{
    size_t left = buffer->end - buffer->start;
    if (data.len > max || left > max - data.len) return ERR_TOO_LARGE;
    if (data.len == 0) return ERR_OK;
    if (buffer->cap - buffer->end < data.len) {
        enum err err = make_room(buffer, data.len);
        if (err != ERR_OK) return err;
    }
    memcpy(buffer->data + buffer->end, data.data, data.len);
    buffer->end += data.len;
    return ERR_OK;
}

struct bytes buffer_left(const struct buffer *buffer)
{
    if (buffer->end == buffer->start) return (struct bytes){NULL, 0};
    return (struct bytes){buffer->data + buffer->start, buffer->end - buffer->start};
}

void buffer_drop(struct buffer *buffer, size_t len)
{
    CHECK(len <= buffer->end - buffer->start);
    buffer->start += len;
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
}

size_t buffer_take(struct buffer *buffer, uint8_t *out, size_t cap)
{
    size_t left = buffer->end - buffer->start;
    size_t len = left < cap ? left : cap;
    if (len == 0) return 0;
    memcpy(out, buffer->data + buffer->start, len);
    buffer_drop(buffer, len);
    return len;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
