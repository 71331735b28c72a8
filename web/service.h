/* Which session a connection gets. */
#ifndef KEYWARD_WEB_SERVICE_H
#define KEYWARD_WEB_SERVICE_H

#include "web/conn.h"
#include "web/session.h"

/* service_open makes the session for a finished handshake: echo, or HTTP by peer->alpn. NULL: no memory. */
struct session *service_open(struct conn_shared *shared, enum service service, const struct session_peer *peer,
                             const struct session_host *host);

#endif
