/* /metrics and /healthz: HTTP/1.1 without TLS on a listener of its own, which only this machine reaches. What is shown is the
 * broker's, and asked for anew for each connection. */
#ifndef KEYWARD_WEB_MONITOR_H
#define KEYWARD_WEB_MONITOR_H

#include <ev.h>

#include "base/err.h"
#include "proto/message.h"

struct monitor;

/* monitor_new makes one without a listener. ask is called when the broker is to be asked (METRICS_QUERY), and not again before
 * monitor_show. NULL: no memory. */
struct monitor *monitor_new(struct ev_loop *loop, void (*ask)(void *context), void *context);

/* monitor_listen takes a listening socket, in place of the one before. */
void monitor_listen(struct monitor *monitor, int fd);

/* monitor_show is the broker's answer: everyone who waits for it is served. */
void monitor_show(struct monitor *monitor, const struct metrics *metrics);

/* monitor_close closes the listener and cuts its connections off. */
void monitor_close(struct monitor *monitor);

/* monitor_free also closes. NULL is allowed. */
void monitor_free(struct monitor *monitor);

#endif
