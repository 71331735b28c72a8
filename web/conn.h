/* One TLS connection, from accept to close: the only place where sockets, TLS and sessions meet. */
#ifndef KEYWARD_WEB_CONN_H
#define KEYWARD_WEB_CONN_H

#include <ev.h>
#include <openssl/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/message.h"
#include "web/address_table.h"
#include "web/conn_table.h"
#include "web/handshake_log.h"
#include "web/http/site.h"
#include "web/revoked.h"
#include "web/signer.h"
#include "web/stream/streams.h"

struct conn;

/* How long each state may wait. */
struct conn_deadlines {
    unsigned handshake_ms;
    unsigned write_ms; /* for a peer that does not take what it is sent */
    unsigned idle_ms;  /* for a session that names no deadline of its own */
    unsigned echo_ms;
    unsigned shutdown_ms; /* close_notify, and reading what the peer still sends */
};

/* conn_deadlines_default returns those of base/limits.h. */
struct conn_deadlines conn_deadlines_default(void);

/* What all connections of a worker share. The worker fills the first part, and keeps it until the last connection is
 * gone. */
struct conn_shared {
    struct ev_loop *loop;
    struct signer *signer;
    SSL_CTX *tls; /* of the current identity; NULL before the first */
    struct http_site *site;
    struct streams *streams; /* NULL: there are none */
    struct conn_deadlines deadlines;
    bool keeps_leaf;               /* applications are told each client's certificate */
    void (*closed)(void *context); /* a connection is gone */
    void *context;

    struct address_table *addresses; /* NULL: clients' addresses are not counted */

    bool retiring;
    bool draining;
    struct conn_table conns;
    uint64_t handshakes, handshakes_failed, echo_lines;
    uint64_t failures[HANDSHAKE_FAILURES];
    struct revoked revoked;
    struct tickets *tickets; /* NULL: nothing is resumed */
    bool expects;            /* somebody holds a handle (WEB_EXPECT) */
    struct handshake_log log;
    uint8_t scratch[16384]; /* one record's plaintext; nothing in it outlives a call */
};

/* conn_open begins a connection on a non-blocking socket accepted from that listener, which is the connection's from here on, also
 * when it fails. Beyond LIMIT_HANDSHAKES it costs the oldest unfinished handshake its connection. ERR_MEMORY. */
MUST_CHECK enum err conn_open(struct conn_shared *shared, int fd, const struct web_listen *listen,
                              const struct sockaddr_storage *peer);

/* conn_bound notes that the client of the connection with this number is the holder of a handle (signer_on_bound). */
void conn_bound(struct conn_shared *shared, uint64_t number, const struct client_bound *client);

/* conn_unbound notes that keyd expects no handle's signature in that handshake (signer_on_unbound). */
void conn_unbound(struct conn_shared *shared, uint64_t number, enum refusal refusal);

/* conn_revoke ends at once every connection whose client used one of these handles or one that was derived from it, or has a certificate with one of these
 * serial numbers, wherever it is: nothing of what it was being told follows, an upload leaves nothing behind. With such a
 * certificate none is made any more. out_ended is how many could still be used. ERR_TOO_LARGE: not all of the serial numbers
 * can be kept; then nothing is to be served any more.
 *
 * A handshake may still turn out to be that of a revoked handle, until keyd has said that it has closed the handle. */
MUST_CHECK enum err conn_revoke(struct conn_shared *shared, size_t *out_ended, const struct web_revoke *revoke);

/* conn_distrust ends at once every connection whose client's CA is not among those of shared->tls. Returns how many could still be
 * used. */
size_t conn_distrust(struct conn_shared *shared);

/* conn_drain_all lets every connection finish what it has begun, and close. New ones do so after their handshake. */
void conn_drain_all(struct conn_shared *shared);

/* conn_retire_all lets every connection come to its end as far as that is possible without its peer's noticing more than a close. New
 * ones do so after their first request. */
void conn_retire_all(struct conn_shared *shared);

/* conn_free_all cuts every connection off. */
void conn_free_all(struct conn_shared *shared);

#endif
