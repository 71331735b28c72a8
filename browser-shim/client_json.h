/* What programs are told of an exchange, as JSON. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_JSON_H
#define KEYWARD_BROWSER_SHIM_CLIENT_JSON_H

#include <jansson.h>

#include "browser-shim/client_output.h"
#include "browser-shim/client_response.h"
#include "browser-shim/client_tls_watch.h"

/* client_json_start has to come before anything else that makes JSON, in the sandbox: it needs no randomness. */
void client_json_start(void);

/* client_json_certificate returns a new object. NULL, which json_pack passes on as null, where there is no certificate or it
 * cannot be read. */
json_t *client_json_certificate(const X509 *certificate);

/* client_json_write writes the value as one line, and takes it. NULL: there was no memory for it. */
MUST_CHECK enum err client_json_write(struct client_output *output, json_t *value, struct diag *diag);

/* What is known of an exchange in the end. */
struct client_json_answer {
    const struct client_response *response;
    const struct client_tls_outcome *outcome;
    const char *error; /* NULL: none */
    const char *file;  /* where the body is; NULL: nowhere */
    uint64_t handle;
    uint64_t sent;
    uint64_t us; /* it took */
};

/* client_json_answer returns a new object, or NULL. */
json_t *client_json_answer(const struct client_json_answer *answer);

#endif
