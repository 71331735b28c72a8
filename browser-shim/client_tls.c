#include "browser-shim/client_tls.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "browser-shim/client_refusal.h"
#include "browser-shim/client_tls_internal.h"
#include "tlsclient/explain.h"

static const struct tlsclient_words words = {.ca_option = "--cacert", .remedy = client_refusal_remedy};

/* ---- Preparing -------------------------------------------------------------------------------------------------- */

static enum err prepare(struct client_tls *tls, struct client_handle *handle, const struct client_address *address,
                        enum client_tls_service service, struct diag *diag)
{
    static const uint8_t http[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    struct tlsclient_config config = {
        .host = address->host,
        .ca = handle->ca,
        .chain = {handle->certificate},
        .num_chain = 1,
        .protocols = http,
        .protocols_len = service == CLIENT_TLS_HTTP ? sizeof http : 0,
        .foreign = handle->foreign,
    };
    struct tlsclient_server *server;
    enum err err = tlsclient_server_new(&server, &config, diag);
    if (err != ERR_OK) return err;
    err = tlsclient_signer_new(&tls->signer, auto_keep_fd(&handle->fd));
    if (err == ERR_OK) err = tlsclient_new(&tls->tls, server, tls->signer, tls->fd, NULL, NULL);
    tlsclient_server_free(server);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "cannot prepare TLS: %s", err_name(err));
}

enum err client_tls_new(struct client_tls **out, int fd, struct client_handle *handle,
                        const struct client_address *address, enum client_tls_service service, struct diag *diag)
{
    *out = NULL;
    struct client_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    tls->fd = fd;
    enum err err = prepare(tls, handle, address, service, diag);
    if (err != ERR_OK) {
        client_tls_free(tls);
        return err;
    }
    *out = tls;
    return ERR_OK;
}

void client_tls_free(struct client_tls *tls)
{
    if (tls == NULL) return;
    tlsclient_free(tls->tls);
    tlsclient_signer_free(tls->signer);
    free(tls);
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static enum err wait_until_ready(const struct client_tls *tls, enum tlsclient_wait wait, uint64_t deadline_ms)
{
    const bool keyd = wait == TLSCLIENT_WAITS_SIGNATURE;
    struct pollfd row = {
        .fd = keyd ? tlsclient_signer_fd(tls->signer) : tls->fd,
        .events = wait == TLSCLIENT_WAITS_WRITE ? POLLOUT : POLLIN,
    };
    if (keyd && tlsclient_signer_wants_write(tls->signer)) row.events |= POLLOUT;
    const uint64_t now_ms = clock_monotonic_ms();
    if (now_ms >= deadline_ms) return ERR_TIMEOUT;
    /* An interrupted wait is tried again by the caller. */
    if (poll(&row, 1, (int)(deadline_ms - now_ms)) == 0) return ERR_TIMEOUT;
    if (!keyd) return ERR_OK;
    const enum err err = tlsclient_signer_run(tls->signer);
    (void)err; /* the handshake tells what has become of it */
    return ERR_OK;
}

enum err client_tls_wait_or_explain(const struct client_tls *tls, enum err err, enum tlsclient_wait wait,
                                    uint64_t deadline_ms, struct diag *diag)
{
    const struct tlsclient_story *story = tlsclient_story(tls->tls);
    if (err != ERR_AGAIN) return tlsclient_explain(story, &words, diag);
    err = wait_until_ready(tls, wait, deadline_ms);
    if (err == ERR_OK) return ERR_OK;
    if (wait == TLSCLIENT_WAITS_SIGNATURE) {
        return diag_set(diag, err, "keyd did not sign in time; see what the broker logs");
    }
    return diag_set(diag, err, "%s did not answer in time; see the server's log", story->host);
}

enum err client_tls_handshake(struct client_tls *tls, struct diag *diag)
{
    const uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_HANDSHAKE_MS;
    for (;;) {
        enum tlsclient_wait wait;
        enum err err = tlsclient_handshake(tls->tls, &wait);
        if (err == ERR_OK) return ERR_OK;
        err = client_tls_wait_or_explain(tls, err, wait, deadline_ms, diag);
        if (err != ERR_OK) return err;
    }
}

const char *client_tls_describe(struct client_tls *tls, char *out, size_t out_len)
{
    const SSL *ssl = tlsclient_ssl(tls->tls);
    snprintf(out, out_len, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
    return out;
}

/* A server that refuses says so and closes: the write that comes too late only sees the latter. Looks for an alert that
 * explains more than err, and leaves everything else to be read. */
static enum err last_words(const struct client_tls *tls, enum err err, struct diag *diag)
{
    uint8_t byte;
    size_t len;
    enum tlsclient_wait wait;
    const struct tlsclient_story *story = tlsclient_story(tls->tls);
    if (tlsclient_peek(tls->tls, &byte, &len, sizeof byte, &wait) != ERR_CRYPTO) return err;
    return story->ssl_error == SSL_ERROR_SSL ? tlsclient_explain(story, &words, diag) : err;
}

enum err client_tls_write(struct client_tls *tls, const uint8_t *data, size_t len, struct diag *diag)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_WRITE_MS;
    while (len > 0) {
        size_t written;
        enum tlsclient_wait wait;
        enum err err = tlsclient_write(tls->tls, &written, (struct bytes){data, len}, &wait);
        if (err == ERR_OK) {
            data += written;
            len -= written;
            deadline_ms = clock_monotonic_ms() + DEADLINE_WRITE_MS;
            continue;
        }
        err = client_tls_wait_or_explain(tls, err, wait, deadline_ms, diag);
        if (err == ERR_CLOSED) return last_words(tls, err, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

enum err client_tls_read(struct client_tls *tls, uint8_t *buf, size_t *out_len, size_t buf_len,
                         enum client_tls_wait wait, struct diag *diag)
{
    const uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_BODY_MS;
    for (;;) {
        enum tlsclient_wait what;
        enum err err = tlsclient_read(tls->tls, buf, out_len, buf_len, &what);
        if (err == ERR_OK) return ERR_OK;
        if (wait == CLIENT_TLS_NO_WAIT && err == ERR_AGAIN && what == TLSCLIENT_WAITS_READ) return ERR_AGAIN;
        err = client_tls_wait_or_explain(tls, err, what, deadline_ms, diag);
        if (err != ERR_OK) return err;
    }
}

void client_tls_close(struct client_tls *tls)
{
    tlsclient_end(tls->tls);
}
