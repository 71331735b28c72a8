/* HTTP/1 responses as bytes. */
#ifndef KEYWARD_WEB_HTTP_HTTP1_WRITE_H
#define KEYWARD_WEB_HTTP_HTTP1_WRITE_H

#include "web/http/buffer.h"
#include "web/http/exchange.h"
#include "web/proxy/answer.h"

/* http1_write_head appends the status line and the header section of the exchange's response. ERR_MEMORY,
 * ERR_TOO_LARGE. */
MUST_CHECK enum err http1_write_head(struct buffer *out, const struct exchange *exchange, enum exchange_after after);

/* http1_write_is_chunked says whether the response's body goes in chunks, because nobody knows its length. */
bool http1_write_is_chunked(const struct exchange *exchange);

/* http1_write_chunk appends one chunk, which is not empty: that would be the last. */
MUST_CHECK enum err http1_write_chunk(struct buffer *out, struct bytes data);

/* http1_write_last_chunk appends the last, with what an application says behind the body (RFC 9112, 7.1.2). */
MUST_CHECK enum err http1_write_last_chunk(struct buffer *out, const struct exchange *exchange);

/* http1_write_continue appends the interim response that asks for the body (RFC 9110, 10.1.1). */
MUST_CHECK enum err http1_write_continue(struct buffer *out);

/* http1_write_hints appends an application's answer 103 (RFC 8297), or nothing of it: ERR_MEMORY, ERR_TOO_LARGE. */
MUST_CHECK enum err http1_write_hints(struct buffer *out, const struct answer *answer);

#endif
