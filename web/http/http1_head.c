#include "web/http/http1_head.h"

#include <string.h>

static struct http1_message *message_of(http_parser *parser)
{
    return parser->data;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct http1_message *message = message_of(parser);
    struct request *request = &message->exchange->request;
    const char *method = http_method_str((enum http_method)parser->method);
    request_set_method(request, (struct bytes){(const uint8_t *)method, strlen(method)});
    message->fault = target_parse(&request->target, at, len);
    return message->fault.status != 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    message_of(parser)->field_name = (struct bytes){(const uint8_t *)at, len};
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct http1_message *message = message_of(parser);
    struct bytes value = {(const uint8_t *)at, len};
    struct request *request = &message->exchange->request;
    if (parser->http_major == 1 && parser->http_minor == 0) request->version = VERSION_HTTP10;
    message->fault = message->head_complete ? exchange_trailer(message->exchange, message->field_name, value)
                                            : request_add_field(request, message->field_name, value);
    return message->fault.status != 0;
}

static int on_head_complete(http_parser *parser)
{
    struct http1_message *message = message_of(parser);
    if (parser->http_major != 1) {
        message->fault = (struct fault){HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED, "not HTTP/1"};
        return -1;
    }
    if (parser->http_minor == 0) message->exchange->request.version = VERSION_HTTP10;
    message->head_complete = true;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    exchange_body(message_of(parser)->exchange, (struct bytes){(const uint8_t *)at, len});
    return 0;
}

static int on_chunk_header(http_parser *parser)
{
    struct http1_message *message = message_of(parser);
    message->chunk_begun = true;
    message->chunk_len = parser->content_length;
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    message_of(parser)->complete = true;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

void http1_message_init(struct http1_message *message, struct exchange *exchange)
{
    *message = (struct http1_message){.exchange = exchange};
    http_parser_init(&message->parser, HTTP_REQUEST);
    message->parser.data = message;
}

static struct fault parser_fault(const struct http1_message *message)
{
    if (message->fault.status != 0) return message->fault;
    enum http_errno error = HTTP_PARSER_ERRNO(&message->parser);
    unsigned status = HTTP_STATUS_BAD_REQUEST;
    if (error == HPE_INVALID_METHOD) status = HTTP_STATUS_NOT_IMPLEMENTED;
    if (error == HPE_INVALID_VERSION) status = HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED;
    if (error == HPE_HEADER_OVERFLOW) status = HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
    return (struct fault){status, http_errno_description(error)};
}

static struct fault execute(struct http1_message *message, struct bytes data)
{
    size_t len = http_parser_execute(&message->parser, &settings, (const char *)data.data, data.len);
    if (HTTP_PARSER_ERRNO(&message->parser) != HPE_OK) return parser_fault(message);
    if (len != data.len) return (struct fault){HTTP_STATUS_BAD_REQUEST, "the message ends too early"};
    return (struct fault){0, NULL};
}

/* White space behind a value may be tabs (RFC 9112, 5.1), but http-parser knows only spaces there. */
static void blank_tabs(uint8_t *head, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (head[i] != '\r') continue;
        for (size_t at = i; at > 0 && (head[at - 1] == ' ' || head[at - 1] == '\t'); at--) head[at - 1] = ' ';
    }
}

struct fault http1_message_head(struct http1_message *message, uint8_t *head, size_t len)
{
    blank_tabs(head, len);
    struct fault fault = execute(message, (struct bytes){head, len});
    if (fault.status == 0 && !message->head_complete)
        return (struct fault){HTTP_STATUS_BAD_REQUEST, "the header section does not end"};
    return fault;
}

struct fault http1_message_more(struct http1_message *message, struct bytes data)
{
    return execute(message, data);
}

struct fault http1_message_trailers(struct http1_message *message, uint8_t *lines, size_t len)
{
    blank_tabs(lines, len);
    return execute(message, (struct bytes){lines, len});
}

bool http1_message_keeps_alive(const struct http1_message *message)
{
    return message->head_complete && http_should_keep_alive(&message->parser) != 0;
}
