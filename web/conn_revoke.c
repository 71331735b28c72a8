/* Connections that have to end at once. */
#include <stdlib.h>

#include "web/conn_internal.h"

/* A last word and a close_notify, if they can be written without waiting; and not behind half a record, half a frame or half
 * an answer, whose end it would seem to be; nor in a raw session, which is always in the middle of something. */
static void say_farewell(struct conn *conn)
{
    const struct session_ops *ops = conn->session->ops;
    uint8_t word[SESSION_FAREWELL];
    if (conn->unsent != NULL || conn->stalled || ops->raw) return;
    size_t len = ops->farewell != NULL ? ops->farewell(conn->session, word) : 0;
    size_t taken;
    if (len == 0 && (ops->wants(conn->session) & SESSION_WRITE) != 0) return;
    if (len == 0 || conn_send(conn, &taken, word, len) == TRANSFER_DONE) (void)conn_send_end(conn);
}

/* Returns 1 if the connection was one that could still be used. */
static size_t cut(struct conn *conn)
{
    const bool live = conn->state <= CONN_CLOSING;
    if (conn->state == CONN_OPEN) say_farewell(conn);
    conn_free(conn);
    return live ? 1 : 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static bool names(const struct web_revoke *revoke, uint64_t handle)
{
    return bsearch(&handle, revoke->handles, revoke->num_handles, sizeof handle, compare) != NULL;
}

/* By what it was derived from too: a handle that has ended belongs to nobody's family any more, but its connections do. */
static bool is_revoked(const struct conn *conn, const struct web_revoke *revoke)
{
    if (revoke->num_handles > 0 && conn->client.handle != 0) {
        if (names(revoke, conn->client.handle)) return true;
        for (size_t i = 0; i < conn->client.num_above; i++) {
            if (names(revoke, conn->client.above[i])) return true;
        }
    }
    return revoke->num_serials > 0 && revoked_has(&conn->shared->revoked, conn->peer.certificate.serial);
}

enum err conn_revoke(struct conn_shared *shared, size_t *out_ended, const struct web_revoke *revoke)
{
    enum err err = ERR_OK;
    *out_ended = 0;
    for (size_t i = 0; i < revoke->num_serials && err == ERR_OK; i++)
        err = revoked_add(&shared->revoked, revoke->serials[i]);
    if (revoke->num_handles > 0) qsort(revoke->handles, revoke->num_handles, sizeof *revoke->handles, compare);
    signer_catch_up(shared->signer); /* whose handles the handshakes in progress are */
    for (struct conn *conn = shared->conns.first, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (is_revoked(conn, revoke)) *out_ended += cut(conn);
    }
    return err;
}

size_t conn_distrust(struct conn_shared *shared)
{
    const struct clients *clients = tls_clients(shared->tls);
    size_t ended = 0;
    for (struct conn *conn = shared->conns.first, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->lineage != NULL && !clients_trust(clients, conn->lineage)) ended += cut(conn);
    }
    return ended;
}
