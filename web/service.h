/* Which session a connection gets. */
#ifndef KEYWARD_WEB_SERVICE_H
#define KEYWARD_WEB_SERVICE_H

#include <stdint.h>

#include "web/conn.h"
#include "web/session.h"

/* service_open makes the session for a finished handshake on the connection fd: echo, HTTP by peer->alpn, or one of the streams. NULL: no memory. */
struct session *service_open(struct conn_shared *shared, enum service service, uint32_t stream, int fd,
                             const struct session_peer *peer, const struct session_host *host);

#endif
