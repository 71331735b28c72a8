/* Asks the running broker for a handle. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_HANDLE_H
#define KEYWARD_BROWSER_SHIM_CLIENT_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/codec.h"

struct client_handle {
    int fd;
    uint64_t id;
    struct codec_arena *arena; /* where the next two are */
    struct bytes certificate;  /* the client's, DER */
    struct bytes ca;           /* who signed the server's; DER */
    bool foreign;              /* which is not this system's own */
};

/* What a handle is to be for. */
struct client_handle_wish {
    uint64_t from;      /* the handle that it is derived from; 0: none, it is a new one */
    const char *label;  /* what `broker handle list` shows */
    const char *server; /* its name, or IP address */
    struct bytes ca; /* DER, lives as long as the handle: who signed a foreign server's certificate; empty: our own's */
};

/* What a program with the PKCS#11 module gets. */
struct client_program_wish {
    const char *label;
    uint32_t lifetime_s;     /* 1 to LIMIT_HANDLE_LIFETIME_S */
    uint64_t max_signatures; /* 0: no limit */
};

/* client_handle_ask asks the broker that runs in runtime_dir (NULL: the usual one) for a handle that is good for one
 * signature by this process, for that server alone: a new one that lives for seconds, or one derived from another, whose
 * CA it has. Free it with client_handle_cleanup, also after an error. */
MUST_CHECK enum err client_handle_ask(struct client_handle *out, const char *runtime_dir,
                                      const struct client_handle_wish *wish, struct diag *diag);

/* client_handle_ask_for_program asks for one that signs digests that keyd foretold (docs/adr/0006), for this system's own
 * server and for whichever process it is pinned to first. Free it with client_handle_cleanup, also after an error. */
MUST_CHECK enum err client_handle_ask_for_program(struct client_handle *out, const char *runtime_dir,
                                                  const struct client_program_wish *wish, struct diag *diag);

/* client_handle_revoke has the broker end the handle, all that came of it and the connections that were made with it; one
 * that has ended already is none to complain of. */
MUST_CHECK enum err client_handle_revoke(const char *runtime_dir, uint64_t id, struct diag *diag);

void client_handle_cleanup(struct client_handle *handle);

#endif
