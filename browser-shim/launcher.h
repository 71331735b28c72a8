/* The launcher: process 1 of the browser's namespaces. It starts the browser with the handle that it is sent, or its gateway
 * with the handle and the browser without, sees all
 * its processes out, and takes them with it when it ends, which it does no later than the shim does.
 *
 * It is the lower end of a link of role LINK_BROKER_SHIM of which the shim is the upper end: it is told SHIM_LAUNCH,
 * SHIM_RENEW, PING and STOP, and says SHIM_LISTENER, READY, SHIM_BROWSER, PONG and FAILED. */
#ifndef KEYWARD_BROWSER_SHIM_LAUNCHER_H
#define KEYWARD_BROWSER_SHIM_LAUNCHER_H

#include "browser-shim/profile.h"
#include "proto/link.h"

struct launcher {
    struct link link; /* the shim's end */
    int pidfd;        /* readable when it and all its processes are gone */
};

struct launcher_task {
    const struct shim_setup *setup;
    int module_fd;
    int screenshot_fd; /* -1: none is wanted */
    int broker_fd;     /* the shim's channel, which the launcher closes */
};

/* launcher_start clones the launcher; the descriptors stay the caller's. ERR_INPUT, ERR_NOT_FOUND or ERR_SYSTEM with a
 * diagnostic; what fails later comes as FAILED. The process must have one thread. */
MUST_CHECK enum err launcher_start(struct launcher *out, const struct launcher_task *task, struct diag *diag);

#endif
