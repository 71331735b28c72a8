/* What the broker tells a web worker to be. */
#include "base/err.h"
#include "proto/codec_internal.h"
#include "proto/field.h"
#include "proto/header.h"
#include "proto/tls_choice.h"

bool codec_check_web_setup(const struct msg *msg)
{
    const struct web_setup *setup = &msg->web_setup;
    if (setup->num_headers > LIMIT_HEADERS) return false;
    for (size_t i = 0; i < setup->num_headers; i++) {
        if (header_fault(setup->headers[i]) != NULL) return false;
    }
    if (setup->num_proxies > LIMIT_PROXIES) return false;
    for (size_t i = 0; i < setup->num_proxies; i++) {
        const struct web_proxy *proxy = &setup->proxies[i];
        if (!field_text(proxy->prefix, 1, LIMIT_PROXY_PREFIX) || !field_text(proxy->upstream, 1, LIMIT_PROXY_UPSTREAM))
            return false;
    }
    if (setup->num_streams > LIMIT_STREAMS) return false;
    for (size_t i = 0; i < setup->num_streams; i++) {
        const struct web_stream *stream = &setup->streams[i];
        if (!field_text(stream->address, 1, LIMIT_NAME) || !field_text(stream->upstream, 1, LIMIT_STREAM_UPSTREAM) ||
            stream->idle_ms == 0 || stream->idle_ms > LIMIT_STREAM_IDLE_S * 1000u)
            return false;
    }
    const struct web_limits *limits = &setup->limits;
    return setup->log_style < LIMIT_LOG_STYLES && limits->connections <= LIMIT_CONNECTIONS &&
           limits->address_connections <= LIMIT_CONNECTIONS && limits->address_handshakes <= LIMIT_CONNECTIONS &&
           setup->worker < LIMIT_WORKER_NUMBERS && (unsigned)setup->access_log < ACCESS_LOG_NUM &&
           setup->tls_groups <= TLS_GROUPS_ALL && setup->tls_suites <= TLS_SUITES_ALL;
}

enum err codec_decode_web_setup(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebSetup *from = (const Keyward__Wire__WebSetup *)wire;
    if (from->n_headers > LIMIT_HEADERS || from->n_proxies > LIMIT_PROXIES || from->n_streams > LIMIT_STREAMS)
        return ERR_MALFORMED;
    out->web_setup = (struct web_setup){
        .worker = from->worker,
        .has_root = from->has_root != 0,
        .has_uploads = from->has_uploads != 0,
        .max_upload_bytes = from->max_upload_bytes,
        .idle_timeout_ms = from->idle_timeout_ms,
        .tls12 = from->tls12 != 0,
        .log_style = from->log_style,
        .spa = from->spa != 0,
        .immutable = from->immutable != 0,
        .upload_quota = from->upload_quota,
        .num_headers = from->n_headers,
        .access_log = (enum access_log)from->access_log,
        .tls_groups = from->tls_groups,
        .tls_suites = from->tls_suites,
        .num_proxies = from->n_proxies,
        .num_streams = from->n_streams,
        .limits = {from->connections, from->address_connections, from->address_handshakes},
    };
    for (size_t i = 0; i < from->n_headers; i++) out->web_setup.headers[i] = from->headers[i];
    for (size_t i = 0; i < from->n_proxies; i++)
        out->web_setup.proxies[i] =
            (struct web_proxy){from->proxies[i]->prefix, from->proxies[i]->upstream, from->proxies[i]->tls != 0};
    for (size_t i = 0; i < from->n_streams; i++) {
        const Keyward__Wire__WebStream *stream = from->streams[i];
        out->web_setup.streams[i] =
            (struct web_stream){stream->address, stream->upstream, stream->idle_ms, stream->proxy_protocol != 0};
    }
    return ERR_OK;
}

enum err codec_encode_web_setup(const struct packer *packer, const struct msg *msg)
{
    const struct web_setup *from = &msg->web_setup;
    Keyward__Wire__WebSetup to;
    char *headers[LIMIT_HEADERS];
    for (size_t i = 0; i < from->num_headers; i++) headers[i] = wire_text(from->headers[i]);
    keyward__wire__web_setup__init(&to);
    Keyward__Wire__WebProxy proxies[LIMIT_PROXIES], *pointers[LIMIT_PROXIES];
    for (size_t i = 0; i < from->num_proxies; i++) {
        keyward__wire__web_proxy__init(&proxies[i]);
        proxies[i].prefix = wire_text(from->proxies[i].prefix);
        proxies[i].upstream = wire_text(from->proxies[i].upstream);
        proxies[i].tls = from->proxies[i].tls;
        pointers[i] = &proxies[i];
    }
    Keyward__Wire__WebStream streams[LIMIT_STREAMS], *stream_pointers[LIMIT_STREAMS];
    for (size_t i = 0; i < from->num_streams; i++) {
        keyward__wire__web_stream__init(&streams[i]);
        streams[i].address = wire_text(from->streams[i].address);
        streams[i].upstream = wire_text(from->streams[i].upstream);
        streams[i].idle_ms = from->streams[i].idle_ms;
        streams[i].proxy_protocol = from->streams[i].proxy_protocol;
        stream_pointers[i] = &streams[i];
    }
    to.streams = stream_pointers;
    to.n_streams = from->num_streams;
    to.proxies = pointers;
    to.n_proxies = from->num_proxies;
    to.worker = from->worker;
    to.has_root = from->has_root;
    to.has_uploads = from->has_uploads;
    to.max_upload_bytes = from->max_upload_bytes;
    to.idle_timeout_ms = from->idle_timeout_ms;
    to.tls12 = from->tls12;
    to.spa = from->spa;
    to.immutable = from->immutable;
    to.upload_quota = from->upload_quota;
    to.headers = headers;
    to.n_headers = from->num_headers;
    to.access_log = (uint32_t)from->access_log;
    to.connections = from->limits.connections;
    to.address_connections = from->limits.address_connections;
    to.address_handshakes = from->limits.address_handshakes;
    to.tls_groups = from->tls_groups;
    to.tls_suites = from->tls_suites;
    to.log_style = msg->web_setup.log_style;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_listen(const struct msg *msg)
{
    unsigned service = (unsigned)msg->web_listen.service;
    return msg->web_listen.slot < LIMIT_LISTENERS && msg->web_listen.stream < LIMIT_STREAMS && service > SERVICE_NONE &&
           service < SERVICE_NUM && (unsigned)msg->web_listen.mode < TLS_MODE_NUM &&
           field_text(msg->web_listen.address, 0, LIMIT_NAME);
}

enum err codec_decode_web_listen(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebListen *from = (const Keyward__Wire__WebListen *)wire;
    out->web_listen.slot = from->slot;
    out->web_listen.service = (enum service)from->service;
    out->web_listen.address = from->address;
    out->web_listen.mode = (enum tls_mode)from->mode;
    out->web_listen.stream = from->stream;
    out->web_listen.browser = from->browser != 0;
    return ERR_OK;
}

enum err codec_encode_web_listen(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__WebListen to;
    keyward__wire__web_listen__init(&to);
    to.slot = msg->web_listen.slot;
    to.service = (uint32_t)msg->web_listen.service;
    to.address = wire_text(msg->web_listen.address);
    to.mode = (uint32_t)msg->web_listen.mode;
    to.stream = msg->web_listen.stream;
    to.browser = msg->web_listen.browser;
    return codec_pack(packer, &to.base);
}

bool codec_check_web_identity(const struct msg *msg)
{
    const struct web_identity *identity = &msg->web_identity;
    return identity->num_chain >= 1 && identity->num_chain <= LIMIT_CHAIN &&
           identity->num_servers <= LIMIT_SERVER_CERTIFICATES && identity->num_client_cas <= LIMIT_CLIENT_CAS &&
           field_certificates(identity->chain, identity->num_chain) &&
           field_certificates(identity->client_cas, identity->num_client_cas) &&
           field_text(identity->own_client, 64, 64) && (unsigned)identity->crl_rule < CRL_RULE_NUM &&
           identity->ocsp.len <= LIMIT_OCSP_RESPONSE &&
           (identity->issuer.len == 0 || field_certificate(identity->issuer));
}

enum err codec_decode_web_identity(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebIdentity *from = (const Keyward__Wire__WebIdentity *)wire;
    struct web_identity *to = &out->web_identity;
    if (from->n_chain > LIMIT_CHAIN || from->n_client_cas > LIMIT_CLIENT_CAS) return ERR_MALFORMED;
    to->num_chain = from->n_chain;
    for (size_t i = 0; i < to->num_chain; i++) to->chain[i] = bytes_of_wire(from->chain[i]);
    to->num_client_cas = from->n_client_cas;
    for (size_t i = 0; i < to->num_client_cas; i++) to->client_cas[i] = bytes_of_wire(from->client_cas[i]);
    to->has_client_ca_file = from->has_client_ca_file != 0;
    to->own_client = from->own_client;
    to->crl_rule = (enum crl_rule)from->crl_rule;
    to->num_servers = from->server_certificates;
    to->ocsp = bytes_of_wire(from->ocsp);
    to->issuer = bytes_of_wire(from->issuer);
    return ERR_OK;
}

enum err codec_encode_web_identity(const struct packer *packer, const struct msg *msg)
{
    const struct web_identity *from = &msg->web_identity;
    ProtobufCBinaryData chain[LIMIT_CHAIN];
    ProtobufCBinaryData client_cas[LIMIT_CLIENT_CAS];
    for (size_t i = 0; i < from->num_chain; i++) chain[i] = wire_bytes(from->chain[i]);
    for (size_t i = 0; i < from->num_client_cas; i++) client_cas[i] = wire_bytes(from->client_cas[i]);
    Keyward__Wire__WebIdentity to;
    keyward__wire__web_identity__init(&to);
    to.n_chain = from->num_chain;
    to.chain = chain;
    to.n_client_cas = from->num_client_cas;
    to.client_cas = client_cas;
    to.has_client_ca_file = from->has_client_ca_file;
    to.own_client = wire_text(from->own_client);
    to.crl_rule = (uint32_t)from->crl_rule;
    to.server_certificates = from->num_servers;
    to.ocsp = wire_bytes(from->ocsp);
    to.issuer = wire_bytes(from->issuer);
    return codec_pack(packer, &to.base);
}

bool codec_check_web_trust(const struct msg *msg)
{
    const struct web_trust *trust = &msg->web_trust;
    return trust->num_client_cas <= LIMIT_CLIENT_CAS && field_certificates(trust->client_cas, trust->num_client_cas) &&
           field_text(trust->own_client, 64, 64) && (unsigned)trust->crl_rule < CRL_RULE_NUM;
}

enum err codec_decode_web_trust(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebTrust *from = (const Keyward__Wire__WebTrust *)wire;
    if (from->n_client_cas > LIMIT_CLIENT_CAS) return ERR_MALFORMED;
    out->web_trust.num_client_cas = from->n_client_cas;
    for (size_t i = 0; i < from->n_client_cas; i++) out->web_trust.client_cas[i] = bytes_of_wire(from->client_cas[i]);
    out->web_trust.own_client = from->own_client;
    out->web_trust.crl_rule = (enum crl_rule)from->crl_rule;
    out->web_trust.has_client_ca_file = from->has_client_ca_file != 0;
    return ERR_OK;
}

enum err codec_encode_web_trust(const struct packer *packer, const struct msg *msg)
{
    const struct web_trust *from = &msg->web_trust;
    ProtobufCBinaryData client_cas[LIMIT_CLIENT_CAS];
    Keyward__Wire__WebTrust to;
    keyward__wire__web_trust__init(&to);
    for (size_t i = 0; i < from->num_client_cas; i++) client_cas[i] = wire_bytes(from->client_cas[i]);
    to.n_client_cas = from->num_client_cas;
    to.client_cas = client_cas;
    to.own_client = wire_text(from->own_client);
    to.crl_rule = (uint32_t)from->crl_rule;
    to.has_client_ca_file = from->has_client_ca_file;
    return codec_pack(packer, &to.base);
}
