/* HTTP/2 (RFC 9113) inside one connection. */
#ifndef KEYWARD_WEB_HTTP_HTTP2_H
#define KEYWARD_WEB_HTTP_HTTP2_H

#include "web/http/site.h"
#include "web/session.h"

/* http2_session_new makes the session. Site and peer must outlive it; host is copied. NULL: no memory.
 *
 * Errors of one request are answered on its stream and leave the connection alone. Errors of the connection, and
 * floods (resets, pings, settings, and the like), end it with GOAWAY: receive returns ERR_MALFORMED, or the session
 * wants SESSION_CLOSE. */
struct session *http2_session_new(struct http_site *site, const struct session_peer *peer,
                                  const struct session_host *host);

#endif
