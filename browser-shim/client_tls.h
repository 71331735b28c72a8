/* TLS 1.3 with a key that is somewhere else. Every call waits for its result, with a deadline. SIGPIPE has to be ignored:
 * BoringSSL writes to a connection that the server may have closed. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TLS_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "browser-shim/client_address.h"
#include "browser-shim/client_handle.h"

struct client_tls;

enum client_tls_service { CLIENT_TLS_HTTP, CLIENT_TLS_LINES };

/* client_tls_new prepares a connection over fd, to the server that has address's name, signed by the handle's CA and
 * nobody else. It takes the handle's descriptor; fd stays the caller's and has to live as long. */
MUST_CHECK enum err client_tls_new(struct client_tls **out, int fd, struct client_handle *handle,
                                   const struct client_address *address, enum client_tls_service service,
                                   struct diag *diag);
void client_tls_free(struct client_tls *tls);

/* client_tls_handshake ends with a verified server that has been offered the client's certificate. */
MUST_CHECK enum err client_tls_handshake(struct client_tls *tls, struct diag *diag);

/* client_tls_describe returns version and cipher suite, for -v. */
const char *client_tls_describe(struct client_tls *tls, char *out, size_t out_len);

/* client_tls_write sends all of data. ERR_CLOSED: the server has closed; what it said before can still be read. */
MUST_CHECK enum err client_tls_write(struct client_tls *tls, const uint8_t *data, size_t len, struct diag *diag);

enum client_tls_wait { CLIENT_TLS_WAIT, CLIENT_TLS_NO_WAIT };

/* client_tls_read reads what there is, at least one byte; none: the server ended the stream in order. ERR_AGAIN:
 * CLIENT_TLS_NO_WAIT and nothing there. */
MUST_CHECK enum err client_tls_read(struct client_tls *tls, uint8_t *buf, size_t *out_len, size_t buf_len,
                                    enum client_tls_wait wait, struct diag *diag);

/* client_tls_close tells the server that nothing more comes. */
void client_tls_close(struct client_tls *tls);

#endif
