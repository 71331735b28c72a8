/* What the broker and a web worker say to each other while it runs. */
#include "base/err.h"
#include "proto/codec_internal.h"
#include "proto/field.h"

bool codec_check_web_status(const struct msg *msg)
{
    (void)msg; /* counters */
    return true;
}

enum err codec_decode_web_status(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebStatus *from = (const Keyward__Wire__WebStatus *)wire;
    out->web_status = (struct web_status){
        .handshakes = from->handshakes,
        .handshakes_failed = from->handshakes_failed,
        .requests = from->requests,
        .requests_refused = from->requests_refused,
        .connections = from->connections,
        .echo_lines = from->echo_lines,
        .failures = {from->failed_no_certificate, from->failed_certificate, from->failed_signature, from->failed_alert,
                     from->failed_protocol, from->aborted},
        .responses = {from->responses_2xx, from->responses_3xx, from->responses_4xx, from->responses_5xx},
        .limited = {from->limited_connections, from->limited_address_connections, from->limited_address_handshakes},
        .verdicts = from->verdicts,
        .access_lost = from->access_lost,
        .crl_next_update = from->crl_next_update,
        .ocsp_next_update = from->ocsp_next_update,
    };
    return ERR_OK;
}

enum err codec_encode_web_status(const struct packer *packer, const struct msg *msg)
{
    const struct web_status *from = &msg->web_status;
    Keyward__Wire__WebStatus to;
    keyward__wire__web_status__init(&to);
    to.handshakes = from->handshakes;
    to.handshakes_failed = from->handshakes_failed;
    to.requests = from->requests;
    to.requests_refused = from->requests_refused;
    to.connections = from->connections;
    to.echo_lines = from->echo_lines;
    to.failed_no_certificate = from->failures[HANDSHAKE_NO_CERTIFICATE];
    to.failed_certificate = from->failures[HANDSHAKE_CERTIFICATE];
    to.failed_signature = from->failures[HANDSHAKE_SIGNATURE];
    to.failed_alert = from->failures[HANDSHAKE_ALERT];
    to.failed_protocol = from->failures[HANDSHAKE_PROTOCOL];
    to.aborted = from->failures[HANDSHAKE_ABORTED];
    to.responses_2xx = from->responses[0];
    to.responses_3xx = from->responses[1];
    to.responses_4xx = from->responses[2];
    to.responses_5xx = from->responses[3];
    to.limited_connections = from->limited[CONNECTION_LIMIT_ALL];
    to.limited_address_connections = from->limited[CONNECTION_LIMIT_ADDRESS];
    to.limited_address_handshakes = from->limited[CONNECTION_LIMIT_RATE];
    to.verdicts = from->verdicts;
    to.access_lost = from->access_lost;
    to.crl_next_update = from->crl_next_update;
    to.ocsp_next_update = from->ocsp_next_update;
    return codec_pack(packer, &to.base);
}

bool codec_check_metrics(const struct msg *msg)
{
    return field_text(msg->metrics.fault, 0, LIMIT_TEXT) && msg->metrics.text.len <= LIMIT_METRICS;
}

enum err codec_decode_metrics(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Metrics *from = (const Keyward__Wire__Metrics *)wire;
    out->metrics = (struct metrics){.fault = from->fault, .text = bytes_of_wire(from->text)};
    return ERR_OK;
}

enum err codec_encode_metrics(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Metrics to;
    keyward__wire__metrics__init(&to);
    to.fault = wire_text(msg->metrics.fault);
    to.text = wire_bytes(msg->metrics.text);
    return codec_pack(packer, &to.base);
}

bool codec_check_web_revoke(const struct msg *msg)
{
    const struct web_revoke *revoke = &msg->web_revoke;
    if (revoke->num_handles > LIMIT_REVOKED_HANDLES || revoke->num_serials > LIMIT_REVOKED_SERIALS) return false;
    for (size_t i = 0; i < revoke->num_handles; i++) {
        if (revoke->handles[i] == 0) return false;
    }
    for (size_t i = 0; i < revoke->num_serials; i++) {
        if (!field_serial(revoke->serials[i])) return false;
    }
    return true;
}

enum err codec_decode_web_revoke(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    const Keyward__Wire__WebRevoke *from = (const Keyward__Wire__WebRevoke *)wire;
    struct web_revoke *to = &out->web_revoke;
    if (from->n_handles > LIMIT_REVOKED_HANDLES || from->n_serials > LIMIT_REVOKED_SERIALS) return ERR_MALFORMED;
    to->num_handles = from->n_handles;
    to->num_serials = from->n_serials;
    to->handles = codec_arena_take(arena, to->num_handles * sizeof *to->handles);
    to->serials = codec_arena_take(arena, to->num_serials * sizeof *to->serials);
    if (to->handles == NULL || to->serials == NULL) return ERR_TOO_LARGE;
    for (size_t i = 0; i < to->num_handles; i++) to->handles[i] = from->handles[i]->handle;
    for (size_t i = 0; i < to->num_serials; i++) to->serials[i] = bytes_of_wire(from->serials[i]);
    return ERR_OK;
}

enum err codec_encode_web_revoke(const struct packer *packer, const struct msg *msg)
{
    const struct web_revoke *from = &msg->web_revoke;
    Keyward__Wire__RevokedHandle handles[LIMIT_REVOKED_HANDLES], *pointers[LIMIT_REVOKED_HANDLES];
    ProtobufCBinaryData serials[LIMIT_REVOKED_SERIALS];
    for (size_t i = 0; i < from->num_handles; i++) {
        keyward__wire__revoked_handle__init(&handles[i]);
        handles[i].handle = from->handles[i];
        pointers[i] = &handles[i];
    }
    for (size_t i = 0; i < from->num_serials; i++) serials[i] = wire_bytes(from->serials[i]);
    Keyward__Wire__WebRevoke to;
    keyward__wire__web_revoke__init(&to);
    to.n_handles = from->num_handles;
    to.handles = pointers;
    to.n_serials = from->num_serials;
    to.serials = serials;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_expect(const struct msg *msg)
{
    (void)msg; /* yes or no */
    return true;
}

enum err codec_decode_web_expect(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->web_expect = ((const Keyward__Wire__WebExpect *)wire)->expect != 0;
    return ERR_OK;
}

enum err codec_encode_web_expect(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__WebExpect to;
    keyward__wire__web_expect__init(&to);
    to.expect = msg->web_expect;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_revoked(const struct msg *msg)
{
    (void)msg; /* a counter */
    return true;
}

enum err codec_decode_web_revoked(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->web_revoked = ((const Keyward__Wire__WebRevoked *)wire)->connections;
    return ERR_OK;
}

enum err codec_encode_web_revoked(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__WebRevoked to;
    keyward__wire__web_revoked__init(&to);
    to.connections = msg->web_revoked;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_connect(const struct msg *msg)
{
    return msg->web_connect < LIMIT_PROXIES;
}

enum err codec_decode_web_connect(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebConnect *from = (const Keyward__Wire__WebConnect *)wire;
    out->web_connect = from->proxy;
    return ERR_OK;
}

enum err codec_encode_web_connect(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__WebConnect to;
    keyward__wire__web_connect__init(&to);
    to.proxy = msg->web_connect;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_connect_stream(const struct msg *msg)
{
    return msg->web_connect_stream < LIMIT_STREAMS;
}

enum err codec_decode_web_connect_stream(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->web_connect_stream = ((const Keyward__Wire__WebConnectStream *)wire)->stream;
    return ERR_OK;
}

enum err codec_encode_web_connect_stream(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__WebConnectStream to;
    keyward__wire__web_connect_stream__init(&to);
    to.stream = msg->web_connect_stream;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_connected(const struct msg *msg)
{
    return msg->web_connected.error <= ERR_TIMEOUT && field_text(msg->web_connected.reason, 0, LIMIT_TEXT);
}

enum err codec_decode_web_connected(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebConnected *from = (const Keyward__Wire__WebConnected *)wire;
    out->web_connected = (struct web_connected){from->error, from->reason};
    return ERR_OK;
}

enum err codec_encode_web_connected(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__WebConnected to;
    keyward__wire__web_connected__init(&to);
    to.error = msg->web_connected.error;
    to.reason = wire_text(msg->web_connected.reason);
    return codec_pack(packer, &to.base);
}

bool codec_check_web_upstream(const struct msg *msg)
{
    const struct web_upstream *upstream = &msg->web_upstream;
    return upstream->proxy < LIMIT_PROXIES && field_text(upstream->host, 1, LIMIT_NAME) &&
           upstream->ca.len <= LIMIT_CERTIFICATE && upstream->num_chain <= LIMIT_UPSTREAM_CHAIN &&
           field_certificates(upstream->chain, upstream->num_chain) && field_text(upstream->reason, 0, LIMIT_TEXT);
}

enum err codec_decode_web_upstream(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebUpstream *from = (const Keyward__Wire__WebUpstream *)wire;
    struct web_upstream *to = &out->web_upstream;
    if (from->n_chain > LIMIT_UPSTREAM_CHAIN) return ERR_MALFORMED;
    to->proxy = from->proxy;
    to->host = from->host;
    to->ca = bytes_of_wire(from->ca);
    to->num_chain = from->n_chain;
    for (size_t i = 0; i < to->num_chain; i++) to->chain[i] = bytes_of_wire(from->chain[i]);
    to->reason = from->reason;
    return ERR_OK;
}

enum err codec_encode_web_upstream(const struct packer *packer, const struct msg *msg)
{
    const struct web_upstream *from = &msg->web_upstream;
    ProtobufCBinaryData chain[LIMIT_UPSTREAM_CHAIN];
    Keyward__Wire__WebUpstream to;
    for (size_t i = 0; i < from->num_chain; i++) chain[i] = wire_bytes(from->chain[i]);
    keyward__wire__web_upstream__init(&to);
    to.proxy = from->proxy;
    to.host = wire_text(from->host);
    to.ca = wire_bytes(from->ca);
    to.chain = chain;
    to.n_chain = from->num_chain;
    to.reason = wire_text(from->reason);
    return codec_pack(packer, &to.base);
}
