/* The lines service: each line comes back with a timestamp and the client's address. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_ECHO_H
#define KEYWARD_BROWSER_SHIM_CLIENT_ECHO_H

#include "browser-shim/client_output.h"
#include "browser-shim/client_tls.h"

/* client_echo_check says whether message can be sent as a line. ERR_INPUT. */
MUST_CHECK enum err client_echo_check(const char *message, struct diag *diag);

/* client_echo sends each message as a line, and writes each answer to output before it sends the next. */
MUST_CHECK enum err client_echo(struct client_tls *tls, struct client_output *output, char *const *messages,
                                size_t num_messages, struct diag *diag);

#endif
