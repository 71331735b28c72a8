/* The head that an application is sent. */
#ifndef KEYWARD_WEB_PROXY_REQUEST_HEAD_H
#define KEYWARD_WEB_PROXY_REQUEST_HEAD_H

#include <stdbool.h>

#include "base/err.h"
#include "web/http/buffer.h"
#include "web/http/request.h"
#include "web/proxy/fields.h"
#include "web/session.h"

/* How the application is told the end of the body. */
enum request_head_body { REQUEST_HEAD_NO_BODY, REQUEST_HEAD_LENGTH, REQUEST_HEAD_CHUNKED };

enum request_head_body request_head_body(const struct request *request);

/* request_head_is_upgrade says whether the request asks for the connection to become a WebSocket (RFC 6455, 4.1). No other
 * protocol is passed on: what it would be, nobody here could judge. */
bool request_head_is_upgrade(const struct request *request);

/* request_head_nominate gathers what the request's Connection fields name. ERR_INPUT: too much. */
MUST_CHECK enum err request_head_nominate(struct fields_nominated *nominated, const struct request *request);

/* request_head_write appends request line and header section: what of the client's fields passes (web/proxy/fields.h), and
 * who the client is. authority is what Host says; empty: what the client's says. ERR_INPUT: a field that cannot be understood. ERR_MEMORY. */
MUST_CHECK enum err request_head_write(struct buffer *out, const struct request *request,
                                       const struct session_peer *peer, const char *request_id, const char *authority);

#endif
