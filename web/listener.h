/* The listening sockets that the broker has handed over, and accepting from them. */
#ifndef KEYWARD_WEB_LISTENER_H
#define KEYWARD_WEB_LISTENER_H

#include <ev.h>

#include "base/limits.h"
#include "base/log_rate.h"
#include "proto/message.h"
#include "web/conn.h"

struct listener {
    ev_io io;
    int fd; /* -1: the slot is empty */
    struct web_listen listen;
    char address[LIMIT_NAME + 1]; /* listen's, for log lines */
    struct listeners *all;
};

struct listeners {
    struct listener slots[LIMIT_LISTENERS];
    struct conn_shared *shared;
    ev_timer pause; /* active: no descriptors are left, accept again later */
    struct log_rate refused_log;
    struct web_limits limits;
    uint64_t limited[CONNECTION_LIMITS]; /* connections that were refused */
};

/* listeners_init prepares empty slots. */
void listeners_init(struct listeners *listeners, struct conn_shared *shared);

/* listeners_set takes the listening socket fd for its slot, in place of the one before. Nothing is accepted before
 * shared->tls is set: call listeners_start then. */
void listeners_set(struct listeners *listeners, const struct web_listen *listen, int fd);

/* listeners_start accepts from every slot. */
void listeners_start(struct listeners *listeners);

/* listeners_finish accepts what waits, and closes. */
void listeners_finish(struct listeners *listeners);

/* listeners_close stops accepting, for good. */
void listeners_close(struct listeners *listeners);

#endif
