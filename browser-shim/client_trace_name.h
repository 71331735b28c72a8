/* What TLS calls its messages. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TRACE_NAME_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TRACE_NAME_H

#include "browser-shim/client_tls_watch.h"

/* client_trace_name writes the message's name as RFC 8446 (4, 6) or RFC 5246 (7.4) has it, cut if it is too long: a
 * handshake message's type, an alert's description. "type 99": they have none. */
void client_trace_name(char *out, size_t out_len, const struct client_tls_message *message);

#endif
