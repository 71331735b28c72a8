#include "web/service.h"

#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "web/echo.h"
#include "web/http/http1.h"
#include "web/http/http2.h"
#include "web/peer_address.h"

/* A listener on every address does not say which one the client has reached. */
static struct session *open_stream(struct conn_shared *shared, uint32_t stream, int fd, const struct session_peer *peer,
                                   const struct session_host *host)
{
    struct sockaddr_storage address = {0};
    socklen_t address_len = sizeof address;
    char local[sizeof peer->address];
    if (getsockname(fd, (struct sockaddr *)&address, &address_len) != 0) return NULL;
    peer_address_format(local, sizeof local, &address);
    return stream_session_new(shared->streams, stream, peer, local, host);
}

struct session *service_open(struct conn_shared *shared, enum service service, uint32_t stream, int fd,
                             const struct session_peer *peer, const struct session_host *host)
{
    switch (service) {
    case SERVICE_ECHO: return echo_session_new(peer, &shared->echo_lines, shared->deadlines.echo_ms);
    case SERVICE_HTTPS:
        /* Without ALPN it is HTTP/1.1 (RFC 9113, 3.2: h2 needs the negotiation). */
        if (strcmp(peer->alpn, "h2") == 0) return http2_session_new(shared->site, peer, host);
        return http1_session_new(shared->site, peer, host);
    case SERVICE_STREAM: return open_stream(shared, stream, fd, peer, host);
    case SERVICE_METRICS: /* web/monitor.c, without TLS */
    case SERVICE_NONE:
    case SERVICE_NUM: break;
    }
    CHECK(service == SERVICE_HTTPS || service == SERVICE_ECHO); /* the codec lets no other listener through */
    return NULL;
}
