/* Asks the running broker for a handle. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_HANDLE_H
#define KEYWARD_BROWSER_SHIM_CLIENT_HANDLE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/codec.h"

struct client_handle {
    int fd;
    uint64_t id;
    struct codec_arena *arena; /* where the next two are */
    struct bytes certificate;  /* the client's, DER */
    struct bytes ca;           /* who signed it, and the page's certificate; DER */
};

/* client_handle_ask asks the broker that runs in runtime_dir (NULL: the usual one) for a handle that is good for one
 * signature by this process, for the server of that name (or IP address) alone: a new one that lives for seconds, or, if from
 * is not 0, one derived from that handle. label is what `broker handle list` shows. Free it with client_handle_cleanup, also
 * after an error. */
MUST_CHECK enum err client_handle_ask(struct client_handle *out, const char *runtime_dir, uint64_t from,
                                      const char *label, const char *server, struct diag *diag);

void client_handle_cleanup(struct client_handle *handle);

#endif
