#include "keyd/keyd.h"

#include <ev.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/nid.h>
#include <openssl/rand.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "keyd/audit_key.h"
#include "keyd/channel_table.h"
#include "keyd/events.h"
#include "keyd/secret_memory.h"
#include "proto/link.h"

struct keyd {
    struct ev_loop *loop;
    struct link broker;
    ev_io readable;
    ev_io writable; /* active while something waits to be said */
    struct codec_arena *arena;
    struct events events;
    struct channel_table *channels;
    struct audit_key *audit_key; /* NULL until the first setup */
    uint64_t status_id;
    bool status_waits;
    uint64_t ping_id;
    bool ping_waits;
    uint64_t head_id;
    bool head_waits;
    struct sign_audit_head head;
    bool stopping; /* it ends as soon as all is said */
    enum err end;  /* why the loop ended */
    struct diag *diag;
};

static void keyd_end(struct keyd *keyd, enum err why)
{
    keyd->end = why;
    ev_break(keyd->loop, EVBREAK_ALL);
}

static enum err send_status(struct keyd *keyd)
{
    if (!keyd->status_waits) return ERR_OK;
    struct msg msg;
    msg.kind = MSG_KEYD_STATUS;
    msg.id = keyd->status_id;
    channel_table_status(keyd->channels, &msg.keyd_status);
    enum err err = link_send(&keyd->broker, &msg, NULL, 0);
    if (err == ERR_OK) keyd->status_waits = false;
    return err;
}

static enum err send_pong(struct keyd *keyd)
{
    if (!keyd->ping_waits) return ERR_OK;
    const struct msg pong = {.kind = MSG_PONG, .id = keyd->ping_id};
    enum err err = link_send(&keyd->broker, &pong, NULL, 0);
    if (err == ERR_OK) keyd->ping_waits = false;
    return err;
}

/* A broker that wants a head for what has one already would have two logs: then there is to be neither. */
static enum err send_head(struct keyd *keyd)
{
    uint8_t signature[AUDIT_KEY_SIGNATURE];
    size_t len;
    const uint64_t number = keyd->head.number;
    if (!keyd->head_waits) return ERR_OK;
    keyd->head_waits = false;
    enum err err = audit_key_sign(keyd->audit_key, signature, &len, number, keyd->head.hash);
    const struct msg answer = {.kind = MSG_AUDIT_HEAD, .id = keyd->head_id, .audit_head = {number, {signature, len}}};
    if (err == ERR_OK) err = link_send(&keyd->broker, &answer, NULL, 0);
    if (err == ERR_OK || err == ERR_AGAIN) return ERR_OK; /* a broker that does not read goes without */
    const char *why = err == ERR_DENIED ? "one as high has been signed" : err_name(err);
    keyd_end(keyd, diag_set(keyd->diag, ERR_SYSTEM, "cannot sign the audit log's head number %llu: %s",
                            (unsigned long long)number, why));
    return keyd->end;
}

/* keyd_tell_broker sends what waits for the broker, as far as it takes it. A head comes behind all that handles were used for
 * until then. */
static void keyd_tell_broker(void *context)
{
    struct keyd *keyd = context;
    enum err err = send_status(keyd); /* first: a flood of events would never let it through */
    if (err == ERR_OK) err = send_pong(keyd);
    if (err == ERR_OK) err = events_send(&keyd->events, &keyd->broker);
    if (err == ERR_OK) err = send_head(keyd);
    if (err == ERR_AGAIN)
        ev_io_start(keyd->loop, &keyd->writable);
    else
        ev_io_stop(keyd->loop, &keyd->writable);
    if (keyd->end != ERR_OK) return;
    if (err != ERR_OK && err != ERR_AGAIN) keyd_end(keyd, ERR_OK); /* the broker is gone */
    if (err == ERR_OK && keyd->stopping) keyd_end(keyd, ERR_OK);
}

static void on_broker_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    keyd_tell_broker(watcher->data);
}

static void send_identity(struct keyd *keyd, const struct keystore *keystore, uint64_t id)
{
    struct certificate_info certificates[KEY_NUM_ROLES];
    size_t num = 0;
    for (enum key_role role = 0; role < KEY_NUM_ROLES; role++) {
        if (role != KEY_CA || keystore_issues(keystore)) certificates[num++] = *keystore_info(keystore, role);
    }
    struct msg msg;
    msg.kind = MSG_KEYD_IDENTITY;
    msg.id = id;
    msg.keyd_identity = (struct keyd_identity){
        .ca = keystore_certificate(keystore, KEY_CA),
        .server = keystore_certificate(keystore, KEY_SERVER),
        .client = keystore_certificate(keystore, KEY_CLIENT),
        .certificates = certificates,
        .num_certificates = num,
        .secret_memory = secret_memory_kind() == SECRET_MEMFD,
        .audit_key = audit_key_public(keyd->audit_key),
        .ocsp = keystore_ocsp(keystore),
    };
    enum err err = link_send(&keyd->broker, &msg, NULL, 0);
    if (err != ERR_OK) keyd_end(keyd, diag_set(keyd->diag, err, "cannot send the certificates to the broker"));
}

/* Takes the keystore. */
static enum err serve_setup(struct keyd *keyd, uint64_t id, struct keystore *keystore, struct diag *diag)
{
    enum err err = channel_table_serve(keyd->channels, id, keystore);
    if (err == ERR_OK) {
        send_identity(keyd, keystore, id);
        return ERR_OK;
    }
    keystore_free(keystore);
    return diag_set(diag, err, "workers of %u configurations are still at work; ask again when they have finished",
                    LIMIT_KEYD_SETUPS);
}

static void on_setup(struct keyd *keyd, const struct msg *msg, struct packet_extra *extra)
{
    const struct keyd_setup *setup = &msg->keyd_setup;
    log_set_style(setup->log_style);
    const size_t num_server = setup->num_server_chain > 0 ? 1 : 0;
    AUTO_FD server_key = num_server > 0 ? packet_extra_take(extra, 0) : -1;
    AUTO_FD client_key = setup->num_client_chain > 0 ? packet_extra_take(extra, num_server) : -1;
    const struct keystore_files files = {.server_key = server_key, .client_key = client_key};
    struct keystore *keystore;
    enum err err = keystore_new_with(&keystore, setup, &files, clock_wall_s(), keyd->diag);
    if (err != ERR_OK) {
        keyd_end(keyd, err);
        return;
    }
    keyd->audit_key = audit_key_new();
    if (keyd->audit_key == NULL) {
        keystore_free(keystore);
        keyd_end(keyd, diag_set(keyd->diag, ERR_CRYPTO, "cannot make the audit log's key: BoringSSL failed"));
        return;
    }
    err = serve_setup(keyd, msg->id, keystore, keyd->diag);
    if (err != ERR_OK) keyd_end(keyd, err);
}

/* Another setup: the server's key is another, and all else stays. What is no good is said, and changes nothing. */
static void on_setup_again(struct keyd *keyd, const struct msg *msg, struct packet_extra *extra)
{
    AUTO_FD server_key = msg->keyd_setup.num_server_chain > 0 ? packet_extra_take(extra, 0) : -1;
    struct diag why = {{0}};
    struct keystore *keystore;
    struct keystore *in_force = channel_table_in_force(keyd->channels);
    enum err err = keystore_renew(&keystore, in_force, &msg->keyd_setup, server_key, clock_wall_s(), &why);
    if (err == ERR_OK) err = serve_setup(keyd, msg->id, keystore, &why);
    if (err == ERR_OK) return;
    const struct msg failed = {.kind = MSG_FAILED, .id = msg->id, .failed = {why.text, (uint32_t)err}};
    err = link_send(&keyd->broker, &failed, NULL, 0);
    if (err != ERR_OK) keyd_end(keyd, diag_set(keyd->diag, err, "cannot tell the broker: %s", why.text));
}

/* One of the last setup's, which may not be in force yet. What is no good costs nothing: the broker is told why, and what was there before is still there. */
static void on_server_certificate(struct keyd *keyd, const struct msg *msg, struct packet_extra *extra)
{
    const struct server_certificate *server = &msg->server_certificate;
    struct keystore *newest = channel_table_newest(keyd->channels);
    struct diag diag = {{0}};
    AUTO_FD key = packet_extra_take(extra, 0);
    const struct brought_files files = {server->chain, server->num_chain, key, server->name};
    struct msg answer = {.kind = MSG_SERVER_INFO, .id = msg->id};
    enum err err = keystore_bring_server(newest, server->number, &files, clock_wall_s(), &diag);
    if (err == ERR_OK)
        answer.server_info = *keystore_info(newest, key_of_server(server->number));
    else
        answer = (struct msg){.kind = MSG_FAILED, .id = msg->id, .failed = {diag.text, (uint32_t)err}};
    err = link_send(&keyd->broker, &answer, NULL, 0);
    if (err != ERR_OK) keyd_end(keyd, diag_set(keyd->diag, err, "cannot tell the broker of a server certificate"));
}

static void on_sign_audit_head(struct keyd *keyd, const struct msg *msg)
{
    keyd->head_id = msg->id;
    keyd->head = msg->sign_audit_head;
    keyd->head_waits = true;
    keyd_tell_broker(keyd);
}

/* Nobody is served any more, and what handles were used for is still told. A broker that does not want to hear it closes its
 * end, or has the process killed. */
static void on_stop(struct keyd *keyd)
{
    keyd->stopping = true;
    keyd->status_waits = keyd->ping_waits = keyd->head_waits = false;
    ev_io_stop(keyd->loop, &keyd->readable);
    channel_table_free(keyd->channels);
    keyd->channels = NULL;
    keyd_tell_broker(keyd);
}

/* The setup comes first; what has no keys to sign with is not granted. */
static enum err on_broker_message(struct keyd *keyd, const struct msg *msg, struct packet_extra *extra)
{
    const bool is_setup = msg->kind == MSG_KEYD_SETUP;
    if (msg->kind == MSG_STOP) {
        on_stop(keyd);
        return ERR_AGAIN;
    }
    const bool is_first = keyd->audit_key == NULL;
    if (is_first && !is_setup) return ERR_MALFORMED;
    if (is_first) {
        on_setup(keyd, msg, extra);
    } else if (is_setup) {
        on_setup_again(keyd, msg, extra);
    } else if (msg->kind == MSG_KEYD_SETTLE) {
        channel_table_settle(keyd->channels, msg->keyd_settle);
    } else if (msg->kind == MSG_SERVER_CERTIFICATE) {
        if (!msg->server_certificate.has_key) return ERR_MALFORMED;
        on_server_certificate(keyd, msg, extra);
    } else if (msg->kind == MSG_KEYD_GRANT) {
        channel_table_grant(keyd->channels, &msg->keyd_grant, packet_extra_take(extra, 0));
    } else if (msg->kind == MSG_KEYD_REVOKE) {
        channel_table_revoke(keyd->channels, msg->keyd_revoke);
    } else if (msg->kind == MSG_SIGN_AUDIT_HEAD) {
        on_sign_audit_head(keyd, msg);
    } else if (msg->kind == MSG_KEYD_HOLD) {
        channel_table_hold(keyd->channels, msg->keyd_hold);
    } else if (msg->kind == MSG_PING) {
        keyd->ping_id = msg->id;
        keyd->ping_waits = true;
        keyd_tell_broker(keyd);
    } else { /* proto/rules.c lets nothing else through but the question for the status */
        keyd->status_id = msg->id;
        keyd->status_waits = true;
        keyd_tell_broker(keyd);
    }
    return keyd->end;
}

static void on_broker_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    struct keyd *keyd = watcher->data;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct msg msg;
        struct packet_extra extra;
        err = link_recv(&keyd->broker, &msg, &extra, keyd->arena);
        if (err == ERR_OK) {
            err = on_broker_message(keyd, &msg, &extra);
            packet_extra_close(&extra);
        }
    }
    if (err == ERR_CLOSED) keyd_end(keyd, ERR_OK);
    if (err == ERR_MALFORMED || err == ERR_DENIED || err == ERR_TOO_LARGE)
        keyd_end(keyd, diag_set(keyd->diag, ERR_MALFORMED, "the broker sent what it may not send now"));
}

/* What BoringSSL makes on first use and keeps, and might have no room for later: its random generator's state, for which
 * it stops the process if it fails, and the curves, all of them, as anybody's certificate may have a key on any. */
static enum err warm_boringssl(struct diag *diag)
{
    static const int curves[] = {NID_secp224r1, NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    uint8_t random[16];
    RAND_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (EC_GROUP_new_by_curve_name(curves[i]) == NULL)
            return diag_set(diag, ERR_MEMORY, "no memory for the curves");
    }
    return ERR_OK;
}

enum err keyd_new(struct keyd **out, int broker_fd, struct diag *diag)
{
    *out = NULL;
    enum err err = warm_boringssl(diag);
    if (err != ERR_OK) return err;
    struct keyd *keyd = calloc(1, sizeof(*keyd));
    if (keyd == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    keyd->broker = (struct link){.fd = broker_fd, .role = LINK_BROKER_KEYD, .end = LINK_LOWER};
    keyd->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    keyd->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    if (keyd->loop != NULL) keyd->channels = channel_table_new(keyd->loop, &keyd->events, keyd_tell_broker, keyd);
    if (keyd->arena == NULL || keyd->channels == NULL) {
        keyd_free(keyd);
        return diag_set(diag, ERR_MEMORY, "no memory for the event loop");
    }
    ev_io_init(&keyd->readable, on_broker_readable, broker_fd, EV_READ);
    ev_io_init(&keyd->writable, on_broker_writable, broker_fd, EV_WRITE);
    keyd->readable.data = keyd;
    keyd->writable.data = keyd;
    /* A revocation goes before the requests that came with it. */
    ev_set_priority(&keyd->readable, EV_MAXPRI);
    *out = keyd;
    return ERR_OK;
}

void keyd_free(struct keyd *keyd)
{
    if (keyd == NULL) return;
    channel_table_free(keyd->channels);
    audit_key_free(keyd->audit_key);
    codec_arena_free(keyd->arena);
    if (keyd->loop != NULL) ev_loop_destroy(keyd->loop);
    free(keyd);
}

enum err keyd_run(struct keyd *keyd, struct diag *diag)
{
    keyd->diag = diag;
    keyd->end = ERR_OK;
    ev_io_start(keyd->loop, &keyd->readable);
    ev_run(keyd->loop, 0);
    ev_io_stop(keyd->loop, &keyd->readable);
    ev_io_stop(keyd->loop, &keyd->writable);
    if (keyd->end != ERR_OK) keyd_report_failure(keyd->broker.fd, keyd->end, diag);
    return keyd->end;
}

void keyd_report_failure(int broker_fd, enum err why, const struct diag *diag)
{
    const struct link broker = {.fd = broker_fd, .role = LINK_BROKER_KEYD, .end = LINK_LOWER};
    struct msg msg;
    msg.kind = MSG_FAILED;
    msg.id = 0;
    msg.failed = (struct failed){.text = diag->text, .error = (uint32_t)why};
    if (link_send(&broker, &msg, NULL, 0) != ERR_OK) log_line("%s", diag->text);
}
