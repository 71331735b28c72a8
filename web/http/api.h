/* GET /api/get: what the server knows about the connection, as JSON. */
#ifndef KEYWARD_WEB_HTTP_API_H
#define KEYWARD_WEB_HTTP_API_H

#include "web/http/exchange.h"

/* {"message": "...", "timestamp": "2023-04-19T12:00:00.000Z",
 *  "client": {"subject", "serial", "fingerprint", "issuer", "not_after": "2023-04-19T12:00:00.000Z"},
 *  "tls": {"protocol", "cipher", "group", "alpn"}} */
struct fault api_answer(struct exchange *exchange);

#endif
