/* Name resolution and the TCP connection, before the sandbox closes. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_CONNECT_H
#define KEYWARD_BROWSER_SHIM_CLIENT_CONNECT_H

#include "browser-shim/client_address.h"

/* client_connect resolves the host and tries each of its addresses. out_fd is non-blocking. ERR_INPUT: no such host;
 * ERR_TIMEOUT, ERR_SYSTEM: nobody answers. */
MUST_CHECK enum err client_connect(int *out_fd, const struct client_address *address, struct diag *diag);

#endif
