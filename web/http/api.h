/* GET /api/get: what the server knows about the connection, as JSON. */
#ifndef KEYWARD_WEB_HTTP_API_H
#define KEYWARD_WEB_HTTP_API_H

#include "web/http/exchange.h"

/* {"message": "...", "timestamp": "2023-04-19T12:00:00.000Z",
 *  "client": {"subject", "serial", "fingerprint", "issuer", "not_after": "2023-04-19T12:00:00.000Z", "handle": 1},
 *  "server": {"subject", "serial", "fingerprint", "issuer", "not_after"},
 *  "tls": {"protocol", "cipher", "group", "alpn", "resumed": false},
 *  "worker": {"number", "connections", "handshakes", "handshakes_failed", "requests", "requests_refused"},
 *  "uploads": {"max_bytes"}}
 *
 * Each of the objects, and the handle, may be null. client: it has not shown who it is; handle: keyd has told of none that its
 * signature was made with. tls, server: there is no TLS. worker, uploads: the client is not known, or may upload nothing. */
struct fault api_answer(struct exchange *exchange);

#endif
