/* The header of the PROXY protocol, version 2 (HAProxy's doc/proxy-protocol.txt, 2.2): what an upstream is told about
 * the client before the client's first byte. */
#ifndef KEYWARD_WEB_STREAM_PROXY_HEADER_H
#define KEYWARD_WEB_STREAM_PROXY_HEADER_H

#include "base/err.h"
#include "base/limits.h"
#include "web/http/buffer.h"
#include "web/session.h"

/* The longest: addresses of IPv6, a certificate, and the texts around it. */
#define PROXY_HEADER_MAX (1024u + LIMIT_CERTIFICATE)

/* proxy_header_write appends the header to an empty buffer: the two addresses (none, if local or the peer's is not an IP address and
 * a port), id as PP2_TYPE_UNIQUE_ID, and as PP2_TYPE_SSL how TLS is spoken and whose certificate was verified: its common
 * name, where it has exactly one, and the certificate itself (PP2_SUBTYPE_SSL_CLIENT_CERT), if it is in the peer and not
 * longer than LIMIT_CERTIFICATE. id has at most 128 bytes (2.2.5). ERR_MEMORY. */
MUST_CHECK enum err proxy_header_write(struct buffer *out, const struct session_peer *peer, const char *local,
                                       const char *id);

#endif
