/* The CA of a server that is not this system's own: a file that a person names. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_CA_H
#define KEYWARD_BROWSER_SHIM_CLIENT_CA_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

struct client_ca {
    uint8_t der[LIMIT_CERTIFICATE];
    size_t len; /* 0: none */
};

/* client_ca_read reads path before the sandbox: PEM with exactly one certificate, which is a CA's. ERR_INPUT. */
MUST_CHECK enum err client_ca_read(struct client_ca *out, const char *path, struct diag *diag);

#endif
