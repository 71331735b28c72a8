#include "browser-shim/client_response.h"

#include <string.h>
#include <strings.h>

static struct client_response *response_of(http_parser *parser)
{
    return parser->data;
}

static int on_message_begin(http_parser *parser)
{
    struct client_response *response = response_of(parser);
    response->reason_len = 0;
    response->reason[0] = '\0';
    response->date_len = 0;
    response->date[0] = '\0';
    return 0;
}

/* Appends what fits, and a NUL. */
static void append(char *to, size_t *to_len, size_t to_size, const char *text, size_t len)
{
    const size_t room = to_size - 1 - *to_len;
    if (len > room) len = room;
    memcpy(to + *to_len, text, len);
    *to_len += len;
    to[*to_len] = '\0';
}

static int on_status(http_parser *parser, const char *text, size_t len)
{
    struct client_response *response = response_of(parser);
    append(response->reason, &response->reason_len, sizeof response->reason, text, len);
    return 0;
}

static int on_field(http_parser *parser, const char *text, size_t len)
{
    struct client_response *response = response_of(parser);
    if (response->in_value) response->field_len = 0;
    response->in_value = false;
    append(response->field, &response->field_len, sizeof response->field, text, len);
    return 0;
}

static int on_value(http_parser *parser, const char *text, size_t len)
{
    struct client_response *response = response_of(parser);
    response->in_value = true;
    if (strcasecmp(response->field, "date") == 0)
        append(response->date, &response->date_len, sizeof response->date, text, len);
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct client_response *response = response_of(parser);
    response->status = parser->status_code;
    const bool has_length = parser->content_length != UINT64_MAX;
    if (response->status / 100 == 2)
        client_progress_start(response->progress, "received", has_length ? parser->content_length : 0);
    return response->status >= 100 ? 0 : -1; /* three digits (RFC 9112, 4); the parser takes fewer */
}

static int on_body(http_parser *parser, const char *data, size_t len)
{
    struct client_response *response = response_of(parser);
    response->body_len += len;
    client_progress_add(response->progress, len);
    if (response->status / 100 != 2) return 0; /* what an error page says is not what was asked for */
    response->err = client_output_write(response->output, (const uint8_t *)data, len, response->diag);
    return response->err != ERR_OK;
}

static int on_message_complete(http_parser *parser)
{
    struct client_response *response = response_of(parser);
    if (response->status / 100 == 1) return 0;
    response->complete = true;
    http_parser_pause(parser, 1); /* whatever follows was not asked for */
    return 0;
}

void client_response_init(struct client_response *response, struct client_output *output,
                          struct client_progress *progress, struct diag *diag)
{
    memset(response, 0, sizeof *response);
    http_parser_init(&response->parser, HTTP_RESPONSE);
    response->parser.data = response;
    response->output = output;
    response->progress = progress;
    response->diag = diag;
}

static enum err feed(struct client_response *response, const char *data, size_t len)
{
    static const http_parser_settings settings = {
        .on_message_begin = on_message_begin,
        .on_status = on_status,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    http_parser_execute(&response->parser, &settings, data, len);
    enum http_errno error = HTTP_PARSER_ERRNO(&response->parser);
    if (response->err != ERR_OK) return response->err;
    if (response->complete) return ERR_OK;
    if (response->parser.upgrade) {
        return diag_set(response->diag, ERR_MALFORMED, "the server wants to change the protocol (status %u)",
                        response->status);
    }
    if (error != HPE_OK) {
        return diag_set(response->diag, ERR_MALFORMED, "what came back is not an HTTP response: %s",
                        http_errno_description(error));
    }
    return ERR_OK;
}

enum err client_response_feed(struct client_response *response, const uint8_t *data, size_t len)
{
    if (response->complete || len == 0) return ERR_OK;
    return feed(response, (const char *)data, len);
}

enum err client_response_end(struct client_response *response)
{
    if (response->complete) return ERR_OK;
    enum err err = feed(response, NULL, 0);
    if (response->complete && err == ERR_OK) return ERR_OK;
    return diag_set(response->diag, ERR_CLOSED, "the server closed the connection before its answer was complete");
}
