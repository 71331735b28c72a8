/* The raw stream: lines in, each echoed with the time and the client's address. */
#ifndef KEYWARD_WEB_ECHO_H
#define KEYWARD_WEB_ECHO_H

#include <stdint.h>

#include "web/session.h"

/* echo_session_new makes the session. peer must outlive it; *lines counts the lines answered. NULL: no memory.
 *
 * A line ends with LF (CR before it is dropped), or with the peer's close_notify; it may hold any other bytes. The
 * answer is "2026-01-31T12:00:00.000Z 127.0.0.1:40000 LINE\n". A line over LIMIT_ECHO_LINE bytes, the line after
 * LIMIT_ECHO_LINES, and idle_ms without a byte are answered "error: ...\n", and end the connection. */
struct session *echo_session_new(const struct session_peer *peer, uint64_t *lines, unsigned idle_ms);

#endif
