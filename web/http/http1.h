/* HTTP/1.1 and 1.0 (RFC 9110, 9112) inside one connection. */
#ifndef KEYWARD_WEB_HTTP_HTTP1_H
#define KEYWARD_WEB_HTTP_HTTP1_H

#include "web/http/site.h"
#include "web/session.h"

/* http1_session_new makes the session. Site and peer must outlive it; host is copied. NULL: no memory.
 *
 * A request that breaks the protocol is answered (400, 408, 413, 414, 417, 431, 501, 505), logged, and ends the
 * connection by SESSION_CLOSE; receive itself never fails. While a response is being given, SESSION_READ is not
 * wanted; what is received nevertheless is kept, up to a limit. */
struct session *http1_session_new(struct http_site *site, const struct session_peer *peer,
                                  const struct session_host *host);

#endif
