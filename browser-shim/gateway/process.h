/* The gateway's process: a child of the launcher's, in the browser's namespaces, with a sandbox of its own. */
#ifndef KEYWARD_BROWSER_SHIM_GATEWAY_PROCESS_H
#define KEYWARD_BROWSER_SHIM_GATEWAY_PROCESS_H

#include <stdint.h>

#include "base/err.h"

/* The descriptors stay the caller's. */
struct gateway_task {
    int listener;  /* the browser's: plain HTTP, non-blocking */
    int handle;    /* for keyd (LINK_SIGN_GATEWAY) */
    int supply;    /* where other handles come from (SHIM_RENEW) */
    uint16_t port; /* web's, on 127.0.0.1 */
};

/* gateway_become turns the calling process, a fresh child, into the gateway: it keeps these descriptors and standard error and
 * nothing else, pins the handle to itself, and serves until it is killed. It ends only if it cannot begin, which it logs. */
_Noreturn void gateway_become(const struct gateway_task *task);

#endif
