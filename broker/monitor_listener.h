/* The listening socket for /metrics and /healthz: a Unix socket that only its owner reaches, or TCP on loopback. The broker
 * makes it; web workers accept from it. */
#ifndef KEYWARD_BROKER_MONITOR_LISTENER_H
#define KEYWARD_BROKER_MONITOR_LISTENER_H

#include "broker/config.h"
#include "broker/runtime_dir.h"

struct monitor_listener {
    int fd;                        /* -1: none is wanted */
    char address[LIMIT_PATH + 16]; /* "unix:PATH" or "127.0.0.1:9100" */
};

/* monitor_listen makes what config wants. A socket's file belongs to owner and has mode 0600; one that a broker has left
 * behind is replaced, one that is in use is not. Before privileges are given up. ERR_INPUT and ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err monitor_listen(struct monitor_listener *out, struct config *config,
                                   const struct runtime_dir *runtime_dir, const struct user *owner, struct diag *diag);

/* monitor_leave closes it, and removes its file from the runtime directory. A file elsewhere stays: the broker can no longer
 * reach it. */
void monitor_leave(struct monitor_listener *monitor, const struct runtime_dir *runtime_dir);

#endif
