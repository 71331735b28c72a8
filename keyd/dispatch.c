#include "keyd/dispatch.h"

#include "keyd/binding.h"
#include "keyd/purpose.h"

/* A handler fills in what is its own: a signing one the digest, another one the answer. */
typedef enum refusal (*dispatch_handler)(struct answer *out, struct digest *out_digest, struct grant *grant,
                                         const struct msg *request, const struct dispatch_scene *scene);

static enum refusal check_server(const struct keystore *keystore, uint32_t number, uint16_t scheme)
{
    const enum key_role key = key_of_server(number);
    if (!keystore_has(keystore, key)) return REFUSAL_SERVER;
    return keystore_does(keystore, key, scheme) ? REFUSAL_NONE : REFUSAL_SCHEME;
}

static enum refusal on_sign_tls13_server(struct answer *out, struct digest *out_digest, struct grant *grant,
                                         const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out, (void)grant;
    const struct sign_tls13 *wanted = &request->sign_tls13_server;
    const enum refusal refusal = check_server(scene->keystore, wanted->server, wanted->scheme);
    if (refusal != REFUSAL_NONE) return refusal;
    return purpose_tls13(out_digest, PURPOSE_ROLE_SERVER, wanted);
}

static enum refusal on_sign_tls12_server(struct answer *out, struct digest *out_digest, struct grant *grant,
                                         const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out, (void)grant;
    if (!keystore_does_tls12(scene->keystore)) return REFUSAL_PURPOSE;
    const struct sign_tls12_server *wanted = &request->sign_tls12_server;
    const enum refusal refusal = check_server(scene->keystore, wanted->server, wanted->scheme);
    if (refusal != REFUSAL_NONE) return refusal;
    return purpose_tls12_server(out_digest, wanted);
}

static enum refusal on_sign_tls13_client(struct answer *out, struct digest *out_digest, struct grant *grant,
                                         const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out;
    const struct sign_tls13_client *wanted = &request->sign_tls13_client;
    if (!keystore_does(scene->keystore, KEY_CLIENT, wanted->scheme)) return REFUSAL_SCHEME;
    const struct binding_server server = {.name = grant->server, .ca = grant->ca};
    enum refusal refusal = binding_client(out_digest, scene->keystore, &server, wanted, scene->now_s);
    if (server.ca.len > 0 || scene->keystores == NULL) return refusal;
    /* A worker of an earlier configuration, or of one that is about to be in force, shows another certificate. */
    for (size_t i = 0; i < LIMIT_KEYD_SETUPS && refusal == REFUSAL_SERVER; i++) {
        const struct keystores_row *row = &scene->keystores->rows[i];
        if (row->num_channels > 0 && row->keystore != scene->keystore)
            refusal = binding_client(out_digest, row->keystore, &server, wanted, scene->now_s);
    }
    return refusal;
}

static enum refusal on_expect_client(struct answer *out, struct digest *out_digest, struct grant *grant,
                                     const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out, (void)out_digest, (void)grant;
    return binding_expect(scene->source, scene->keystore, request->id, request->expect_client, scene->now_ms);
}

/* The one digest that a request carries. Its row says that it has to be expected. */
static enum refusal on_sign_browser_digest(struct answer *out, struct digest *out_digest, struct grant *grant,
                                           const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out, (void)grant;
    const struct sign_browser_digest *wanted = &request->sign_browser_digest;
    if (!keystore_does(scene->keystore, KEY_CLIENT, wanted->scheme)) return REFUSAL_SCHEME;
    if (!scheme_take(out_digest, wanted->scheme, (struct bytes){wanted->digest, wanted->digest_len}))
        return REFUSAL_PARAMETERS;
    return REFUSAL_NONE;
}

static enum refusal on_pin_handle(struct answer *out, struct digest *out_digest, struct grant *grant,
                                  const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out_digest, (void)request;
    if (!scene->can_report) return REFUSAL_BUSY;
    grant_pin(grant, scene->sender);
    out->msg.kind = MSG_HANDLE_PINNED;
    out->event = GRANT_EVENT_PINNED;
    return REFUSAL_NONE;
}

static enum refusal on_describe_handle(struct answer *out, struct digest *out_digest, struct grant *grant,
                                       const struct msg *request, const struct dispatch_scene *scene)
{
    (void)out_digest, (void)request;
    out->msg.kind = MSG_HANDLE_DESCRIPTION;
    out->msg.handle_description.label = grant->label;
    out->msg.handle_description.leaf = keystore_certificate(scene->keystore, KEY_CLIENT);
    out->msg.handle_description.issuer = keystore_issuer(scene->keystore, KEY_CLIENT);
    out->msg.handle_description.server_ca = keystore_anchor(scene->keystore, KEY_SERVER);
    return REFUSAL_NONE;
}

/* How a signature has to do with what keyd foretold for a handshake of its own server. */
enum dispatch_binding {
    BINDS_NOTHING,
    BINDS_IF_EXPECTED, /* the request proves by itself which handshake it belongs to */
    BINDS_OR_REFUSES,  /* what nobody expects is not signed */
};

/* The policy: who may ask what, and which key that uses. What has no row is refused. */
struct dispatch_row {
    enum purpose purpose;
    enum msg_kind kind;
    enum grant_use use;
    enum key_role key; /* for GRANT_USE_SIGN alone; KEY_SERVER: the server's that the request names */
    enum dispatch_binding binding;
    dispatch_handler handler;
};

static const struct dispatch_row policy[] = {
    {PURPOSE_TLS_SERVER, MSG_SIGN_TLS13_SERVER, GRANT_USE_SIGN, KEY_SERVER, BINDS_NOTHING, on_sign_tls13_server},
    {PURPOSE_TLS_SERVER, MSG_SIGN_TLS12_SERVER, GRANT_USE_SIGN, KEY_SERVER, BINDS_NOTHING, on_sign_tls12_server},
    {PURPOSE_TLS_SERVER, MSG_EXPECT_CLIENT, GRANT_USE_EXPECT, KEY_NUM_ROLES, BINDS_NOTHING, on_expect_client},

    {PURPOSE_TLS_CLIENT, MSG_SIGN_TLS13_CLIENT, GRANT_USE_SIGN, KEY_CLIENT, BINDS_IF_EXPECTED, on_sign_tls13_client},

    {PURPOSE_BROWSER_DIGEST, MSG_PIN_HANDLE, GRANT_USE_PIN, KEY_NUM_ROLES, BINDS_NOTHING, on_pin_handle},
    {PURPOSE_BROWSER_DIGEST, MSG_DESCRIBE_HANDLE, GRANT_USE_DESCRIBE, KEY_NUM_ROLES, BINDS_NOTHING, on_describe_handle},
    {PURPOSE_BROWSER_DIGEST, MSG_SIGN_BROWSER_DIGEST, GRANT_USE_SIGN, KEY_CLIENT, BINDS_OR_REFUSES,
     on_sign_browser_digest},

    {PURPOSE_GATEWAY, MSG_PIN_HANDLE, GRANT_USE_PIN, KEY_NUM_ROLES, BINDS_NOTHING, on_pin_handle},
    {PURPOSE_GATEWAY, MSG_DESCRIBE_HANDLE, GRANT_USE_DESCRIBE, KEY_NUM_ROLES, BINDS_NOTHING, on_describe_handle},
    {PURPOSE_GATEWAY, MSG_SIGN_TLS13_CLIENT, GRANT_USE_SIGN, KEY_CLIENT, BINDS_OR_REFUSES, on_sign_tls13_client},
};

static const struct dispatch_row *find_row(enum purpose purpose, enum msg_kind kind)
{
    for (size_t i = 0; i < sizeof(policy) / sizeof(policy[0]); i++) {
        if (policy[i].purpose == purpose && policy[i].kind == kind) return &policy[i];
    }
    return NULL;
}

/* Uses the expectation up, after the server whose handshake it is was told whose signature it will see: when the handle is
 * revoked, the connection has to end with it. */
static enum refusal bind_to_handshake(const struct grant *grant, enum dispatch_binding binding,
                                      const struct digest *digest, const struct dispatch_scene *scene)
{
    struct expected expected;
    if (binding == BINDS_NOTHING) return REFUSAL_NONE;
    if (!expectations_find(scene->expectations, &expected, digest, scene->now_ms))
        return binding == BINDS_OR_REFUSES ? REFUSAL_UNEXPECTED : REFUSAL_NONE;
    if (!scene->tell_bound(&expected, grant)) return REFUSAL_BUSY;
    return expectations_take(scene->expectations, digest, scene->now_ms) ? REFUSAL_NONE : REFUSAL_UNEXPECTED;
}

static enum refusal sign(struct answer *out, struct grant *grant, enum key_role key, const struct digest *digest,
                         const struct dispatch_scene *scene)
{
    size_t len;
    if (keystore_sign(scene->keystore, out->signature, &len, key, digest) != ERR_OK) return REFUSAL_INTERNAL;
    grant_charge(grant, scene->now_ms);
    out->msg.kind = MSG_SIGNATURE;
    out->msg.signature = (struct bytes){out->signature, len};
    if (grant_is_reported(grant)) out->event = GRANT_EVENT_SIGNED;
    return REFUSAL_NONE;
}

static enum key_role key_of(const struct dispatch_row *row, const struct msg *request)
{
    if (row->kind == MSG_SIGN_TLS13_SERVER) return key_of_server(request->sign_tls13_server.server);
    if (row->kind == MSG_SIGN_TLS12_SERVER) return key_of_server(request->sign_tls12_server.server);
    return row->key;
}

static enum refusal answer_request(struct answer *out, struct grant *grant, const struct msg *request,
                                   const struct dispatch_scene *scene)
{
    const struct dispatch_row *row = find_row(grant->purpose, request->kind);
    if (row == NULL) return REFUSAL_PURPOSE;
    enum refusal refusal = grant_check(grant, row->use, scene->sender, scene->now_ms);
    if (refusal != REFUSAL_NONE) return refusal;

    /* Before an expectation is used up. */
    if (row->use == GRANT_USE_SIGN && grant_is_reported(grant) && scene->held) return REFUSAL_HELD;
    if (row->use == GRANT_USE_SIGN && grant_is_reported(grant) && !scene->can_report) return REFUSAL_BUSY;
    struct digest digest;
    refusal = row->handler(out, &digest, grant, request, scene);
    if (refusal != REFUSAL_NONE || row->use != GRANT_USE_SIGN) return refusal;
    refusal = bind_to_handshake(grant, row->binding, &digest, scene);
    if (refusal != REFUSAL_NONE) return refusal;
    const enum key_role key = key_of(row, request);
    refusal = sign(out, grant, key, &digest, scene);
    if (refusal == REFUSAL_NONE && row->kind == MSG_SIGN_TLS13_SERVER)
        expectation_note_signature(scene->source, key, &digest, out->msg.signature, scene->now_ms);
    return refusal;
}

void dispatch_refuse(struct answer *out, struct grant *grant, uint64_t request_id, enum refusal refusal)
{
    grant->refusals++;
    out->msg.kind = MSG_REFUSAL;
    out->msg.id = request_id;
    out->msg.refusal = refusal;
    out->event = GRANT_EVENT_REFUSED;
    out->refusal = refusal;
}

void dispatch_request(struct answer *out, struct grant *grant, const struct msg *request,
                      const struct dispatch_scene *scene)
{
    out->msg.kind = MSG_NONE;
    out->msg.id = request->id;
    out->event = GRANT_EVENT_NONE;
    out->refusal = REFUSAL_NONE;
    enum refusal refusal = answer_request(out, grant, request, scene);
    if (refusal != REFUSAL_NONE) dispatch_refuse(out, grant, request->id, refusal);
}
