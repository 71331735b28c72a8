/* What the files of client_tls share. Nobody else includes this. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TLS_INTERNAL_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TLS_INTERNAL_H

#include "browser-shim/client_tls.h"
#include "browser-shim/client_tls_watch.h"
#include "tlsclient/tlsclient.h"

struct client_tls {
    struct tlsclient *tls;
    struct tlsclient_signer *signer;
    int fd;
    struct client_tls_watch watch; /* all zero: nobody looks */
    bool version_known;            /* the server has chosen one; only for who looks */
};

/* client_tls_wait_or_explain comes after a call that returned err, which is no success: waits for what the call waits for, or
 * says in diag why it failed. */
MUST_CHECK enum err client_tls_wait_or_explain(const struct client_tls *tls, enum err err, enum tlsclient_wait wait,
                                               uint64_t deadline_ms, struct diag *diag);

#endif
