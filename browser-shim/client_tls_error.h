/* Why TLS failed, in words for a person. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TLS_ERROR_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TLS_ERROR_H

#include <stdbool.h>

#include "base/err.h"
#include "proto/message.h"

/* What is known of a connection. */
struct client_tls_story {
    const char *host;
    bool foreign;         /* the server is not the broker's own */
    const char *versions; /* of TLS, that the client offers */
    bool certificate_requested;
    bool certificate_withheld; /* requested in TLS 1.2, where keyd signs nothing */
    bool connected;            /* the handshake is over */
    enum refusal refusal;      /* keyd's */
    enum err handle_error;     /* the handle's channel */
    long verify_result;        /* X509_V_... of the server's chain */
};

/* client_tls_explain says in diag why a TLS call failed with ssl_error (SSL_get_error), from the story, BoringSSL's
 * error queue and errno. Returns the error to go on with. */
MUST_CHECK enum err client_tls_explain(const struct client_tls_story *story, int ssl_error, struct diag *diag);

/* client_tls_reason returns the oldest entry of BoringSSL's error queue. Never NULL. */
const char *client_tls_reason(void);

#endif
