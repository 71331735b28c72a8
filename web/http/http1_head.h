/* http-parser for one HTTP/1 message. It is only given what http1_scan.h let through. */
#ifndef KEYWARD_WEB_HTTP_HTTP1_HEAD_H
#define KEYWARD_WEB_HTTP_HTTP1_HEAD_H

#include <http_parser.h>

#include "web/http/exchange.h"

struct http1_message {
    http_parser parser;
    struct exchange *exchange;
    struct bytes field_name; /* of the field whose value comes next */
    struct fault fault;
    uint64_t chunk_len; /* of the last chunk size line */
    bool head_complete;
    bool chunk_begun; /* a chunk size line is complete; its reader resets this */
    bool complete;
};

/* http1_message_init prepares for a message whose parts go to the exchange. */
void http1_message_init(struct http1_message *message, struct exchange *exchange);

/* http1_message_head parses the whole head at once and fills the exchange's request. It changes blanks of the head. */
struct fault http1_message_head(struct http1_message *message, uint8_t *head, size_t len);

/* http1_message_more parses more of the body, up to its trailer section; its content goes to exchange_body. */
struct fault http1_message_more(struct http1_message *message, struct bytes data);

/* http1_message_trailers parses the whole trailer section, the empty line included; its fields go to exchange_trailer. It changes
 * blanks of it. */
struct fault http1_message_trailers(struct http1_message *message, uint8_t *lines, size_t len);

/* http1_message_keeps_alive says whether the client wants to go on (RFC 9112, 9.3). */
bool http1_message_keeps_alive(const struct http1_message *message);

#endif
