#include "web/proxy/request_trailers.h"

#include <http_parser.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"

static enum err add_line(struct request_trailers *trailers, struct bytes name, struct bytes value)
{
    const struct bytes parts[] = {name, {(const uint8_t *)": ", 2}, value, {(const uint8_t *)"\r\n", 2}};
    if (trailers->num++ == LIMIT_HTTP_TRAILERS) return ERR_TOO_LARGE;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        enum err err = buffer_append(&trailers->lines, parts[i], LIMIT_HTTP_HEADER);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static struct bytes trim(struct bytes value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t')) value.len--;
    return value;
}

struct fault request_trailers_add(struct request_trailers *trailers, struct bytes name, struct bytes value)
{
    static const struct fault no_memory = {HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    AUTO_FREE char *text = strndup((const char *)name.data, name.len);
    if (text == NULL) return no_memory;
    if (!fields_request_trailer_passes(&trailers->nominated, text)) return (struct fault){0, NULL};
    enum err err = add_line(trailers, name, trim(value));
    if (err == ERR_TOO_LARGE)
        return (struct fault){HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE, "too much behind the body"};
    return err == ERR_OK ? (struct fault){0, NULL} : no_memory;
}

void request_trailers_free(struct request_trailers *trailers)
{
    buffer_free(&trailers->lines);
}
