/* What the broker and the web workers, the browser's shim and the spawner say to each other. */
#include "base/err.h"
#include "proto/codec_internal.h"
#include "proto/field.h"
#include "proto/header.h"
#include "proto/tls_choice.h"

/* ---- web -------------------------------------------------------------------------------------------------------- */

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
    const struct web_limits *limits = &setup->limits;
    return limits->connections <= LIMIT_CONNECTIONS && limits->address_connections <= LIMIT_CONNECTIONS &&
           limits->address_handshakes <= LIMIT_CONNECTIONS && setup->worker < LIMIT_WORKERS &&
           (unsigned)setup->access_log < ACCESS_LOG_NUM && setup->tls_groups <= TLS_GROUPS_ALL &&
           setup->tls_suites <= TLS_SUITES_ALL;
}

enum err codec_decode_web_setup(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebSetup *from = (const Keyward__Wire__WebSetup *)wire;
    if (from->n_headers > LIMIT_HEADERS || from->n_proxies > LIMIT_PROXIES) return ERR_MALFORMED;
    out->web_setup = (struct web_setup){
        .worker = from->worker,
        .has_root = from->has_root != 0,
        .has_uploads = from->has_uploads != 0,
        .max_upload_bytes = from->max_upload_bytes,
        .idle_timeout_ms = from->idle_timeout_ms,
        .tls12 = from->tls12 != 0,
        .spa = from->spa != 0,
        .immutable = from->immutable != 0,
        .upload_quota = from->upload_quota,
        .num_headers = from->n_headers,
        .access_log = (enum access_log)from->access_log,
        .tls_groups = from->tls_groups,
        .tls_suites = from->tls_suites,
        .num_proxies = from->n_proxies,
        .limits = {from->connections, from->address_connections, from->address_handshakes},
    };
    for (size_t i = 0; i < from->n_headers; i++) out->web_setup.headers[i] = from->headers[i];
    for (size_t i = 0; i < from->n_proxies; i++)
        out->web_setup.proxies[i] = (struct web_proxy){from->proxies[i]->prefix, from->proxies[i]->upstream};
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
        pointers[i] = &proxies[i];
    }
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
    return codec_pack(packer, &to.base);
}

bool codec_check_web_listen(const struct msg *msg)
{
    unsigned service = (unsigned)msg->web_listen.service;
    return msg->web_listen.slot < LIMIT_LISTENERS && service > SERVICE_NONE && service < SERVICE_NUM &&
           (unsigned)msg->web_listen.mode < TLS_MODE_NUM && field_text(msg->web_listen.address, 0, LIMIT_NAME);
}

enum err codec_decode_web_listen(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebListen *from = (const Keyward__Wire__WebListen *)wire;
    out->web_listen.slot = from->slot;
    out->web_listen.service = (enum service)from->service;
    out->web_listen.address = from->address;
    out->web_listen.mode = (enum tls_mode)from->mode;
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
    return codec_pack(packer, &to.base);
}

bool codec_check_web_identity(const struct msg *msg)
{
    const struct web_identity *identity = &msg->web_identity;
    return identity->num_chain >= 1 && identity->num_chain <= LIMIT_CHAIN &&
           identity->num_client_cas <= LIMIT_CLIENT_CAS && field_certificates(identity->chain, identity->num_chain) &&
           field_certificates(identity->client_cas, identity->num_client_cas) &&
           field_text(identity->own_client, 64, 64);
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
    return codec_pack(packer, &to.base);
}

bool codec_check_web_trust(const struct msg *msg)
{
    const struct web_trust *trust = &msg->web_trust;
    return trust->num_client_cas <= LIMIT_CLIENT_CAS && field_certificates(trust->client_cas, trust->num_client_cas) &&
           field_text(trust->own_client, 64, 64);
}

enum err codec_decode_web_trust(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__WebTrust *from = (const Keyward__Wire__WebTrust *)wire;
    if (from->n_client_cas > LIMIT_CLIENT_CAS) return ERR_MALFORMED;
    out->web_trust.num_client_cas = from->n_client_cas;
    for (size_t i = 0; i < from->n_client_cas; i++) out->web_trust.client_cas[i] = bytes_of_wire(from->client_cas[i]);
    out->web_trust.own_client = from->own_client;
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
    return codec_pack(packer, &to.base);
}

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

/* ---- The shim --------------------------------------------------------------------------------------------------- */

bool codec_check_shim_setup(const struct msg *msg)
{
    const struct shim_setup *setup = &msg->shim_setup;
    return field_text(setup->browser, 1, LIMIT_LABEL) && field_text(setup->url, 1, LIMIT_URL) && setup->port != 0 &&
           field_text(setup->display, 0, LIMIT_PATH) && field_text(setup->wayland_display, 0, LIMIT_PATH) &&
           field_text(setup->xauthority, 0, LIMIT_PATH);
}

enum err codec_decode_shim_setup(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimSetup *from = (const Keyward__Wire__ShimSetup *)wire;
    if (from->port > UINT16_MAX) return ERR_MALFORMED;
    out->shim_setup = (struct shim_setup){
        .browser = from->browser,
        .url = from->url,
        .port = (uint16_t)from->port,
        .headless = from->headless != 0,
        .has_screenshot = from->has_screenshot != 0,
        .display = from->display,
        .wayland_display = from->wayland_display,
        .xauthority = from->xauthority,
    };
    return ERR_OK;
}

enum err codec_encode_shim_setup(const struct packer *packer, const struct msg *msg)
{
    const struct shim_setup *from = &msg->shim_setup;
    Keyward__Wire__ShimSetup to;
    keyward__wire__shim_setup__init(&to);
    to.browser = wire_text(from->browser);
    to.url = wire_text(from->url);
    to.port = from->port;
    to.headless = from->headless;
    to.has_screenshot = from->has_screenshot;
    to.display = wire_text(from->display);
    to.wayland_display = wire_text(from->wayland_display);
    to.xauthority = wire_text(from->xauthority);
    return codec_pack(packer, &to.base);
}

bool codec_check_shim_launch(const struct msg *msg)
{
    return msg->shim_launch != 0;
}

enum err codec_decode_shim_launch(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimLaunch *from = (const Keyward__Wire__ShimLaunch *)wire;
    out->shim_launch = from->handle;
    return ERR_OK;
}

enum err codec_encode_shim_launch(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ShimLaunch to;
    keyward__wire__shim_launch__init(&to);
    to.handle = msg->shim_launch;
    return codec_pack(packer, &to.base);
}

bool codec_check_shim_browser(const struct msg *msg)
{
    unsigned state = (unsigned)msg->shim_browser.state;
    return state > BROWSER_NONE && state < BROWSER_NUM &&
           (msg->shim_browser.pid == 0 || field_pid(msg->shim_browser.pid));
}

enum err codec_decode_shim_browser(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimBrowser *from = (const Keyward__Wire__ShimBrowser *)wire;
    out->shim_browser.state = (enum browser_state)from->state;
    out->shim_browser.pid = from->pid;
    out->shim_browser.status = from->status;
    return ERR_OK;
}

enum err codec_encode_shim_browser(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ShimBrowser to;
    keyward__wire__shim_browser__init(&to);
    to.state = (uint32_t)msg->shim_browser.state;
    to.pid = msg->shim_browser.pid;
    to.status = msg->shim_browser.status;
    return codec_pack(packer, &to.base);
}

/* ---- Any of them ------------------------------------------------------------------------------------------------ */

bool codec_check_failed(const struct msg *msg)
{
    /* The text is repaired where it is encoded. */
    return msg->failed.error > ERR_OK && msg->failed.error <= ERR_TIMEOUT;
}

enum err codec_decode_failed(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Failed *from = (const Keyward__Wire__Failed *)wire;
    if (!field_text(from->text, 0, LIMIT_TEXT)) return ERR_MALFORMED;
    out->failed.text = from->text;
    out->failed.error = from->error;
    return ERR_OK;
}

enum err codec_encode_failed(const struct packer *packer, const struct msg *msg)
{
    /* A diagnostic may quote a file's name, which may be any bytes. To say less is better than to say nothing. */
    char text[LIMIT_TEXT + 1];
    field_text_repair(text, sizeof text, msg->failed.text);
    Keyward__Wire__Failed to;
    keyward__wire__failed__init(&to);
    to.text = text;
    to.error = msg->failed.error;
    return codec_pack(packer, &to.base);
}

/* ---- The spawner ------------------------------------------------------------------------------------------------ */

static bool check_program(enum program program)
{
    return (unsigned)program > PROGRAM_NONE && (unsigned)program < PROGRAM_NUM;
}

bool codec_check_spawn(const struct msg *msg)
{
    return check_program(msg->spawn.program);
}

enum err codec_decode_spawn(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Spawn *from = (const Keyward__Wire__Spawn *)wire;
    out->spawn.program = (enum program)from->program;
    out->spawn.instance = from->instance;
    return ERR_OK;
}

enum err codec_encode_spawn(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Spawn to;
    keyward__wire__spawn__init(&to);
    to.program = (uint32_t)msg->spawn.program;
    to.instance = msg->spawn.instance;
    return codec_pack(packer, &to.base);
}

bool codec_check_spawned(const struct msg *msg)
{
    return check_program(msg->spawned.program) && field_pid(msg->spawned.pid);
}

enum err codec_decode_spawned(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Spawned *from = (const Keyward__Wire__Spawned *)wire;
    out->spawned.program = (enum program)from->program;
    out->spawned.instance = from->instance;
    out->spawned.pid = from->pid;
    return ERR_OK;
}

enum err codec_encode_spawned(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Spawned to;
    keyward__wire__spawned__init(&to);
    to.program = (uint32_t)msg->spawned.program;
    to.instance = msg->spawned.instance;
    to.pid = msg->spawned.pid;
    return codec_pack(packer, &to.base);
}

bool codec_check_exited(const struct msg *msg)
{
    return field_pid(msg->exited.pid);
}

enum err codec_decode_exited(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Exited *from = (const Keyward__Wire__Exited *)wire;
    out->exited.pid = from->pid;
    out->exited.status = from->status;
    return ERR_OK;
}

enum err codec_encode_exited(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Exited to;
    keyward__wire__exited__init(&to);
    to.pid = msg->exited.pid;
    to.status = msg->exited.status;
    return codec_pack(packer, &to.base);
}

bool codec_check_kill(const struct msg *msg)
{
    /* Never 0 or -1, which would mean more than one process. */
    return field_pid(msg->kill.pid) && msg->kill.signal >= 1 && msg->kill.signal <= 64;
}

enum err codec_decode_kill(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Kill *from = (const Keyward__Wire__Kill *)wire;
    out->kill.pid = from->pid;
    out->kill.signal = from->signal;
    return ERR_OK;
}

enum err codec_encode_kill(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Kill to;
    keyward__wire__kill__init(&to);
    to.pid = msg->kill.pid;
    to.signal = msg->kill.signal;
    return codec_pack(packer, &to.base);
}
