/* One worker's event loop: the broker's orders, the listeners, the connections. */
#ifndef KEYWARD_WEB_WORKER_H
#define KEYWARD_WEB_WORKER_H

#include <stdbool.h>

#include "proto/tls_choice.h"
#include "web/conn.h"
#include "web/http/site.h"
#include "web/proxy/proxy.h"

struct worker;

struct worker_config {
    int broker_fd; /* the channel to the broker; stays the caller's */
    struct tls_terms tls;
    struct http_site *site; /* stays the caller's */
    struct conn_deadlines deadlines;
    struct web_limits limits;
    unsigned sign_ms; /* how long a signature may take */
    struct proxy_config proxy;
    struct streams_config streams;
};

/* worker_new makes the loop, so that it exists before the sandbox is put on. ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err worker_new(struct worker **out, const struct worker_config *config, struct diag *diag);

/* worker_run serves until the broker says STOP (and all connections have ended, or were given
 * deadlines.shutdown_ms) or is gone. Returns the process's exit code, which is not 0 if the broker's channel spoke
 * nonsense (logged) or the first identity was not usable (answered FAILED). */
int worker_run(struct worker *worker);

/* worker_free also cuts off the connections that are left. NULL is allowed. */
void worker_free(struct worker *worker);

#endif
