/* Listening sockets: the broker's own, and the one that the shim brings from the browser's namespace. */
#ifndef KEYWARD_BROKER_LISTENER_H
#define KEYWARD_BROKER_LISTENER_H

#include <stdint.h>

#include "base/err.h"
#include "broker/address.h"

/* listener_bind binds and listens, non-blocking and close-on-exec. Where the port was 0, address then has the one that
 * the kernel picked. what names it in the diagnostic, with the flag that chooses another: "listen". */
MUST_CHECK enum err listener_bind(int *out_fd, struct address *address, const char *what, struct diag *diag);

/* listener_cookie tells the network namespace that a socket belongs to. */
MUST_CHECK enum err listener_cookie(uint64_t *out, int fd);

/* listener_check looks whether the socket from the shim is what it has to be: TCP over IPv4, listening on
 * 127.0.0.1:port, in another network namespace than the host's, whose cookie is given. Makes it non-blocking.
 * ERR_DENIED with what is wrong. */
MUST_CHECK enum err listener_check(int fd, uint16_t port, uint64_t host_cookie, struct diag *diag);

#endif
