/* Connections to applications and the upstreams of streams: the workers cannot make any, so this does, to the configured addresses alone. Nothing
 * here blocks. */
#ifndef KEYWARD_BROKER_CONNECT_H
#define KEYWARD_BROKER_CONNECT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "broker/address.h"

#define CONNECT_MAX (LIMIT_WORKERS * LIMIT_CONNECTING)

/* One that is being made. */
struct connecting {
    uint32_t worker;
    uint64_t id;                     /* of the worker's message */
    const struct address *addresses; /* that are still to be tried; the first one is being */
    size_t num_addresses;
    int fd;
    uint64_t deadline; /* of the first one */
    uint64_t last_deadline;
    uint64_t retry_at; /* a Unix socket whose backlog is full, which poll does not tell; 0: poll tells */
};

/* Zero state: none are being made. */
struct connects {
    struct connecting rows[CONNECT_MAX];
    size_t num_rows;
};

/* How one came out. */
struct connect_result {
    uint32_t worker;
    uint64_t id;
    int fd;    /* the caller's; -1: there is none */
    int error; /* then an errno number says why */
};

/* connect_begin begins one to the first of num addresses that can be reached, each of which has its part of the time; connect_next
 * says what comes of it. The addresses live as long. ERR_TOO_LARGE: LIMIT_CONNECTING of that worker are
 * being made. ERR_SYSTEM: no socket, errno says why. */
MUST_CHECK enum err connect_begin(struct connects *connects, uint32_t worker, uint64_t id,
                                  const struct address *addresses, size_t num, uint64_t now);

/* connect_next tries all that are due, and gives out one that has come to an end; false: none has. */
bool connect_next(struct connects *connects, struct connect_result *out, uint64_t now);

/* connect_polls fills rows, which has room for CONNECT_MAX, and returns their number. */
size_t connect_polls(const struct connects *connects, struct pollfd *rows);

/* connect_deadline returns when connect_next has something to do though no descriptor says so; 0: never. */
uint64_t connect_deadline(const struct connects *connects);

/* connect_forget ends those of a worker that is gone. */
void connect_forget(struct connects *connects, uint32_t worker);

#endif
