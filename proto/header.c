#include "proto/header.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What says how the message is to be read, and what describes the one thing that is answered with. */
static const char *const own[] = {
    "accept-ranges",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "x-request-id",
};

static bool is_own(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strlen(own[i]) == len && strncasecmp(own[i], name, len) == 0) return true;
    }
    return false;
}

const char *header_fault(const char *line)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    const char *colon = line != NULL ? strchr(line, ':') : NULL;
    if (colon == NULL) return "it has no colon";
    size_t name_len = (size_t)(colon - line);
    if (name_len == 0 || strspn(line, token) != name_len) return "its name is not a header field's";
    if (name_len > LIMIT_HEADER_NAME) return "its name is too long";
    if (is_own(line, name_len)) return "the server sets it by itself";
    const char *value = colon + 1;
    size_t len = strlen(value);
    if (len > LIMIT_HEADER_VALUE) return "its value is too long";
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) return "its value has other characters than printable ASCII";
    }
    if (len > 0 && (value[0] == ' ' || value[len - 1] == ' ')) return "its value has blanks around it";
    return NULL;
}
