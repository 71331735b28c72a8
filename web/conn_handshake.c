/* A connection until its client is known. */
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/conn_internal.h"
#include "web/service.h"
#include "web/tls_refusal.h"
#include "web/tls_remedy.h"
#include "web/tls_resume.h"

void conn_handshake_end(struct conn *conn)
{
    if (conn->handshake == NULL) return;
    conn_table_remove_handshake(&conn->shared->conns, conn);
    tls_handshake_end(conn->ssl, conn->handshake);
    free(conn->handshake);
    conn->handshake = NULL;
}

/* If keyd did not take the handshake for one of this server's it has signed for no handle in it, and that is why its client has left. why:
 * NULL if it did. */
static void blame_unbound(struct tls_refusal *refusal, const char *why)
{
    const size_t len = strlen(refusal->reason);
    if (why == NULL || (refusal->kind != HANDSHAKE_ABORTED && refusal->kind != HANDSHAKE_ALERT)) return;
    snprintf(refusal->reason + len, sizeof refusal->reason - len, "; keyd expected no client of it: %s", why);
    refusal->remedy = TLS_REMEDY_KEYD;
}

static enum conn_wait handshake_failed(struct conn *conn, int ssl_error)
{
    struct tls_refusal refusal;
    tls_refusal_handshake(&refusal, conn->ssl, conn->handshake, ssl_error);
    if (refusal.outcome == TLS_OUTCOME_REFUSED) conn->shared->handshakes_failed++;
    if (refusal.outcome != TLS_OUTCOME_UNUSED) conn->shared->failures[refusal.kind]++;
    blame_unbound(&refusal, conn->handshake->unbound);
    handshake_log_write(&conn->shared->log, &conn->peer, &refusal);
    memset(&conn->peer.certificate, 0,
           sizeof conn->peer.certificate); /* good for a log line, and for nobody's identity */
    conn_handshake_end(conn);
    return conn_enter(conn, refusal.outcome == TLS_OUTCOME_REFUSED ? CONN_LINGERING : CONN_CLOSED);
}

/* session_host.wake */
static void on_session_wake(void *context)
{
    conn_run(context);
}

void conn_bound(struct conn_shared *shared, uint64_t number, const struct client_bound *client)
{
    struct conn *conn = conn_table_find(&shared->conns, number);
    if (conn != NULL) conn->client = *client;
}

void conn_unbound(struct conn_shared *shared, uint64_t number, enum refusal refusal)
{
    struct conn *conn = conn_table_find(&shared->conns, number);
    if (conn != NULL && conn->handshake != NULL) conn->handshake->unbound = refusal_text(refusal);
}

/* keyd's own client certificate is nobody's who does not hold a handle, and keyd says whose it is before it gives the signature
 * away: it lies in the channel by the time that the client's Finished can be here. If it does not (keyd was not told what to
 * expect because its channel was full, or the key is elsewhere too) the connection could not be revoked. */
static bool is_accounted_for(struct conn *conn)
{
    if (!conn->handshake->own_client) return true;
    if (conn->client.handle == 0) signer_catch_up(conn->shared->signer);
    return conn->client.handle != 0;
}

/* The handshake is done as far as TLS goes. */
static enum conn_wait refuse(struct conn *conn, const struct tls_refusal *refusal)
{
    conn->shared->handshakes_failed++;
    conn->shared->failures[HANDSHAKE_CERTIFICATE]++;
    handshake_log_write(&conn->shared->log, &conn->peer, refusal);
    memset(&conn->peer.certificate, 0, sizeof conn->peer.certificate);
    conn_handshake_end(conn);
    ERR_clear_error();
    if (SSL_send_fatal_alert(conn->ssl, SSL_AD_ACCESS_DENIED) != 1) ERR_clear_error();
    return conn_enter(conn, CONN_LINGERING);
}

static enum conn_wait refuse_resumed(struct conn *conn)
{
    struct tls_refusal refusal = {.outcome = TLS_OUTCOME_REFUSED,
                                  .kind = HANDSHAKE_CERTIFICATE,
                                  .remedy = tls_remedy_certificate(conn->handshake->refused_error)};
    snprintf(refusal.reason, sizeof refusal.reason, "%s", conn->handshake->refused);
    return refuse(conn, &refusal);
}

static enum conn_wait refuse_without_handle(struct conn *conn)
{
    static const struct tls_refusal refusal = {
        .outcome = TLS_OUTCOME_REFUSED,
        .kind = HANDSHAKE_CERTIFICATE,
        .reason = "the client has keyd's certificate, but keyd knows of no handle that it used",
        .remedy = TLS_REMEDY_NO_HANDLE};
    return refuse(conn, &refusal);
}

enum conn_wait conn_begin_session(struct conn *conn)
{
    struct session_host host = {.wake = on_session_wake, .context = conn};
    conn->session = service_open(conn->shared, conn->service, conn->stream, conn->fd, &conn->peer, &host);
    if (conn->session == NULL) return conn_enter(conn, CONN_CLOSING);
    if (conn->shared->retiring && conn->session->ops->retire != NULL) conn->session->ops->retire(conn->session);
    if (conn->shared->draining) conn->session->ops->drain(conn->session);
    return conn_enter(conn, CONN_OPEN);
}

static enum conn_wait handshake_done(struct conn *conn)
{
    if (!tls_resume_judge(conn->ssl, conn->handshake)) return refuse_resumed(conn);
    if (!is_accounted_for(conn)) return refuse_without_handle(conn);
    conn->shared->handshakes++;
    tls_servers_describe(&conn->peer, conn->ssl, conn->handshake);
    conn->peer.handle = conn->client.handle;
    conn_handshake_end(conn);
    tls_describe(&conn->peer, conn->ssl);
    if (conn->leaf != NULL)
        conn->peer.leaf = (struct bytes){CRYPTO_BUFFER_data(conn->leaf), CRYPTO_BUFFER_len(conn->leaf)};
    return conn_begin_session(conn);
}

enum conn_wait conn_handshake_step(struct conn *conn)
{
    ERR_clear_error(); /* SSL_get_error looks at the queue */
    int result = SSL_do_handshake(conn->ssl);
    if (result == 1) return handshake_done(conn);
    int error = SSL_get_error(conn->ssl, result);
    switch (error) {
    case SSL_ERROR_WANT_READ: return WAIT_READ;
    case SSL_ERROR_WANT_WRITE: return WAIT_WRITE;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION: return WAIT_CALL;
    default: return handshake_failed(conn, error);
    }
}

void conn_handshake_expire(struct conn *conn)
{
    static const struct tls_refusal refusal = {.outcome = TLS_OUTCOME_ABORTED,
                                               .kind = HANDSHAKE_ABORTED,
                                               .reason = "the handshake was not finished in time",
                                               .remedy = TLS_REMEDY_LATE};
    if (BIO_number_read(SSL_get_rbio(conn->ssl)) > 0) handshake_log_write(&conn->shared->log, &conn->peer, &refusal);
    conn->shared->failures[HANDSHAKE_ABORTED]++;
    conn_enter(conn, CONN_CLOSED);
}

/* signer_wait.ready */
static void on_signature(void *context)
{
    conn_run(context);
}

enum err conn_handshake_begin(struct conn *conn, enum tls_mode mode)
{
    struct conn_shared *shared = conn->shared;
    struct tls_handshake *handshake = calloc(1, sizeof *handshake);
    if (handshake == NULL) return ERR_MEMORY;
    handshake->mode = mode;
    handshake->tickets = shared->tickets;
    handshake->service = conn->service;
    handshake->revoked = &shared->revoked;
    handshake->expected = &shared->expects;
    handshake->certificate = &conn->peer.certificate;
    handshake->leaf = shared->keeps_leaf ? &conn->leaf : NULL;
    handshake->lineage = &conn->lineage;
    handshake->signer.ready = on_signature;
    handshake->signer.context = conn;
    conn->ssl = tls_new(shared->tls, handshake, shared->signer, conn->fd);
    if (conn->ssl == NULL) {
        free(handshake);
        return ERR_MEMORY;
    }
    conn->handshake = handshake;
    conn_table_add_handshake(&shared->conns, conn);
    handshake->signer.number = conn->number;
    return ERR_OK;
}

/* Whoever opens connections and says nothing must not keep out those who would speak: they go first, and a client that
 * is at work has its handshake done long before its turn comes. */
void conn_handshake_make_room(struct conn_shared *shared)
{
    struct conn *oldest = shared->conns.oldest_handshake;
    if (shared->conns.num_handshakes < LIMIT_HANDSHAKES || oldest == NULL) return;
    static const struct tls_refusal refusal = {.outcome = TLS_OUTCOME_ABORTED,
                                               .kind = HANDSHAKE_ABORTED,
                                               .reason = "too many handshakes are waited for; this was the oldest",
                                               .remedy = TLS_REMEDY_CROWD};
    handshake_log_write(&shared->log, &oldest->peer, &refusal);
    shared->failures[HANDSHAKE_ABORTED]++;
    conn_free(oldest);
}
