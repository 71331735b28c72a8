/* A handle of the gateway's: keyd describes it, then it signs. */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "browser-shim/gateway/gateway_internal.h"

static void stop(struct key *key)
{
    ev_io_stop(key->gateway->loop, &key->io);
}

void key_release(struct key *key)
{
    if (key == NULL || --key->users > 0) return;
    stop(key);
    if (key->link.fd >= 0) close(key->link.fd);
    tlsclient_signer_free(key->signer);
    tlsclient_server_free(key->server);
    free(key);
}

void key_watch(struct key *key)
{
    const int events = EV_READ | (tlsclient_signer_wants_write(key->signer) ? EV_WRITE : 0);
    if (key->ended || (ev_is_active(&key->io) && (key->io.events & (EV_READ | EV_WRITE)) == events)) return;
    stop(key);
    ev_io_set(&key->io, tlsclient_signer_fd(key->signer), events);
    ev_io_start(key->gateway->loop, &key->io);
}

/* A connection whose wait is over may be the last but us that needs the key. */
static void hear_signer(struct key *key)
{
    key->users++;
    enum err err = tlsclient_signer_run(key->signer);
    if (err == ERR_AGAIN) {
        key_watch(key);
    } else if (!key->ended) {
        stop(key);
        key->ended = true;
        const enum refusal refusal = tlsclient_signer_refusal(key->signer);
        log_line("handle has ended reason=%s",
                 log_quote(refusal != REFUSAL_NONE ? refusal_text(refusal) : err_name(err)));
    }
    key_release(key);
}

/* The client shows its leaf and, unless that signed itself, the issuer. */
static enum err prepare(struct key *key, const struct handle_description *description, struct diag *diag)
{
    static const uint8_t http[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    const struct tlsclient_config config = {
        .host = key->gateway->host,
        .ca = description->server_ca,
        .chain = {description->leaf, description->issuer},
        .num_chain = bytes_equal(description->leaf, description->issuer) ? 1 : 2,
        .protocols = http,
        .protocols_len = sizeof http,
    };
    enum err err = tlsclient_server_new(&key->server, &config, diag);
    if (err != ERR_OK) return err;
    const int handle = key->link.fd;
    key->link.fd = -1;
    err = tlsclient_signer_new(&key->signer, handle);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "%s", err_name(err));
}

static void hear_description(struct key *key)
{
    struct diag why = {{0}};
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = link_recv(&key->link, &msg, &extra, key->gateway->arena);
    if (err == ERR_AGAIN) return;
    stop(key);
    if (err != ERR_OK)
        err = diag_set(&why, err, "%s", err_name(err));
    else if (msg.kind == MSG_REFUSAL)
        err = diag_set(&why, ERR_DENIED, "%s", refusal_text(msg.refusal));
    else if (msg.kind != MSG_HANDLE_DESCRIPTION)
        err = diag_set(&why, ERR_MALFORMED, "%s in answer to DESCRIBE_HANDLE", msg_kind_name(msg.kind));
    else
        err = prepare(key, &msg.handle_description, &why);
    if (err != ERR_OK) {
        gateway_key_failed(key->gateway, key, why.text);
        return;
    }
    key_watch(key);
    gateway_key_described(key->gateway, key);
}

static void on_handle(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct key *key = watcher->data;
    if (key->signer != NULL)
        hear_signer(key);
    else
        hear_description(key);
}

struct key *key_new(struct gateway *gateway, int handle)
{
    const struct msg question = {.kind = MSG_DESCRIBE_HANDLE, .id = 1};
    struct key *key = calloc(1, sizeof *key);
    enum err err = ERR_MEMORY;
    if (key == NULL) {
        close(handle);
    } else {
        key->gateway = gateway;
        key->users = 1;
        key->link = (struct link){.fd = handle, .role = LINK_SIGN_GATEWAY, .end = LINK_LOWER};
        ev_io_init(&key->io, on_handle, handle, EV_READ);
        ev_set_priority(&key->io, EV_MAXPRI); /* a handshake is not to begin with a key that has ended */
        key->io.data = key;
        err = link_send(&key->link, &question, NULL, 0);
    }
    if (err == ERR_OK || err == ERR_CLOSED) { /* keyd may have left a word about it */
        ev_io_start(gateway->loop, &key->io);
        return key;
    }
    log_error("new handle is of no use reason=%s", log_quote(err_name(err)));
    key_release(key);
    return NULL;
}
