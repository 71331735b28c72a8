#include "web/http/http1_write.h"

#include <http_parser.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

static enum err write_text(struct buffer *out, const char *text)
{
    return buffer_append(out, (struct bytes){(const uint8_t *)text, strlen(text)}, LIMIT_OUTPUT_BUFFER);
}

static enum err write_field(struct buffer *out, const char *name, const char *value)
{
    enum err err = write_text(out, name);
    if (err == ERR_OK) err = write_text(out, ": ");
    if (err == ERR_OK) err = write_text(out, value);
    if (err == ERR_OK) err = write_text(out, "\r\n");
    return err;
}

static enum err write_status(struct buffer *out, unsigned status)
{
    const char digits[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
                           ' ', '\0'};
    enum err err = write_text(out, "HTTP/1.1 ");
    if (err == ERR_OK) err = write_text(out, digits);
    if (err == ERR_OK) err = write_text(out, http_status_str((enum http_status)status));
    return err == ERR_OK ? write_text(out, "\r\n") : err;
}

enum err http1_write_head(struct buffer *out, const struct exchange *exchange, enum exchange_after after)
{
    const struct response *response = &exchange->response;
    enum err err = write_status(out, response->status);
    for (size_t i = 0, num = response_num_fields(response); i < num && err == ERR_OK; i++) {
        struct header_table_field field = response_field(response, i);
        err = write_field(out, field.name, field.value);
    }
    if (err == ERR_OK && http1_write_is_chunked(exchange)) err = write_field(out, "Transfer-Encoding", "chunked");
    if (response->status == HTTP_STATUS_SWITCHING_PROTOCOLS) {
        if (err == ERR_OK) err = write_field(out, "Connection", "upgrade");
        if (err == ERR_OK) err = write_field(out, "Upgrade", "websocket");
        return err == ERR_OK ? write_text(out, "\r\n") : err;
    }
    if (err == ERR_OK && after == AFTER_CLOSE) err = write_field(out, "Connection", "close");
    if (err == ERR_OK && after == AFTER_KEEP && exchange->request.version == VERSION_HTTP10)
        err = write_field(out, "Connection", "keep-alive");
    if (err == ERR_OK) err = write_text(out, "\r\n");
    return err;
}

bool http1_write_is_chunked(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    return response->framing == RESPONSE_OPEN && response_has_body(response) &&
           response->status != HTTP_STATUS_SWITCHING_PROTOCOLS && exchange->request.version == VERSION_HTTP11;
}

enum err http1_write_chunk(struct buffer *out, struct bytes data)
{
    char size[24];
    snprintf(size, sizeof(size), "%zx\r\n", data.len);
    enum err err = write_text(out, size);
    if (err == ERR_OK) err = buffer_append(out, data, LIMIT_OUTPUT_BUFFER);
    if (err == ERR_OK) err = write_text(out, "\r\n");
    return err;
}

enum err http1_write_last_chunk(struct buffer *out, const struct exchange *exchange)
{
    size_t num;
    const struct header_table_field *trailers = response_trailers(&exchange->response, &num);
    enum err err = write_text(out, "0\r\n");
    for (size_t i = 0; i < num && err == ERR_OK; i++) err = write_field(out, trailers[i].name, trailers[i].value);
    return err == ERR_OK ? write_text(out, "\r\n") : err;
}

enum err http1_write_continue(struct buffer *out)
{
    return write_text(out, "HTTP/1.1 100 Continue\r\n\r\n");
}

enum err http1_write_hints(struct buffer *out, const struct answer *answer)
{
    struct buffer head = {0};
    enum err err = write_text(&head, "HTTP/1.1 103 Early Hints\r\n");
    for (size_t i = 0; i < answer->num_fields && err == ERR_OK; i++)
        err = write_field(&head, answer->fields[i].name, answer->fields[i].value);
    if (err == ERR_OK) err = write_text(&head, "\r\n");
    if (err == ERR_OK) err = buffer_append(out, buffer_left(&head), LIMIT_OUTPUT_BUFFER);
    buffer_free(&head);
    return err;
}
