#include "tests/unit/proto/sample.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t blob[600] = {0x30, 0x82, 0x00, 0xff, 0x41};

static struct certificate_info certificates[2] = {
    {.role = "ca",
     .subject = "CN=Keyward CA",
     .serial = "01ab",
     .fingerprint = "c0ffee",
     .not_before = 11,
     .not_after = 12},
    {.role = "server",
     .subject = "CN=Schl\xc3\xbcssel",
     .names = {"localhost", "127.0.0.1"},
     .num_names = 2,
     .serial = "02",
     .fingerprint = "beef",
     .not_before = 13,
     .not_after = 14},
};
static struct grant_status grants[2] = {{1, 2, 3}, {5, 6, 7}};
static uint64_t revoked_handles[2] = {56, 57};
static struct bytes revoked_serials[2] = {{blob, 1}, {blob, 20}};
static struct process_status processes[2] = {
    {"keyd", 101, 61101, 2, true, 7, "net,mnt", 3, 4096},
    {"web[0]", 102, 61102, 2, true, 7, "net", 4, 8192},
};
static struct handle_status handles[2] = {
    {9, "browser", PURPOSE_BROWSER_DIGEST, 10, 11, 12, 13, 14, 53, 54, "localhost", ""},
    {15, "browser-shim get", PURPOSE_TLS_CLIENT, 16, 17, 18, 19, 20, 55, 56, "kiosk.example", "c0ffee"},
};

static struct verdict verdicts[2] = {
    {"192.0.2.1:40000", HANDSHAKE_CERTIFICATE, 2, 3, 4, "certificate expired", "give the client a new certificate",
     "CN=a", "CN=b", "0c", "beef", 5, 6},
    {.address = "[::1]:40001",
     .kind = VERDICT_LIMIT,
     .count = 1,
     .reason = "too fast",
     .remedy = "",
     .subject = "",
     .issuer = "",
     .serial = "",
     .fingerprint = ""},
};

struct msg sample_of(enum msg_kind kind)
{
    static const struct msg samples[MSG_NUM_KINDS] = {
        [MSG_SIGN_TLS13_SERVER] = {.sign_tls13_server = {SCHEME_ECDSA_P256_SHA256, {blob, 32}, 7}},
        [MSG_SIGN_TLS12_SERVER] = {.sign_tls12_server = {.scheme = SCHEME_ECDSA_P256_SHA256,
                                                         .client_random = {1, 2, 3},
                                                         .server_random = {4, 5, 6},
                                                         .group = GROUP_X25519,
                                                         .point = {blob, 65},
                                                         .server = 6}},
        [MSG_SIGN_TLS13_CLIENT] = {.sign_tls13_client = {0x0503, {blob, 448}}},
        [MSG_EXPECT_CLIENT] = {.expect_client = {blob, 449}},
        [MSG_CLIENT_BOUND] = {.client_bound = {53, {60, 61}, 2}},
        [MSG_SIGN_BROWSER_DIGEST] = {.sign_browser_digest = {SCHEME_ECDSA_P384_SHA384, 48, {7, 8, 9}}},
        [MSG_SIGNATURE] = {.signature = {blob, 71}},
        [MSG_REFUSAL] = {.refusal = REFUSAL_EXPIRED},
        [MSG_HANDLE_DESCRIPTION] = {.handle_description = {"browser", {blob, 300}, {blob, 301}, {blob, 302}}},
        [MSG_KEYD_SETUP] = {.keyd_setup = {.tls12 = true,
                                           .dns_names = {"localhost", "kiosk.example"},
                                           .num_dns_names = 2,
                                           .ip_addresses = {{blob, 4}, {blob, 16}},
                                           .num_ip_addresses = 2,
                                           .ca_lifetime_s = 86400,
                                           .leaf_lifetime_s = 3600,
                                           .client_name = "kiosk",
                                           .server_chain = {{blob, 403}, {blob, 404}},
                                           .num_server_chain = 2,
                                           .client_chain = {{blob, 405}},
                                           .num_client_chain = 1,
                                           .log_style = 1}},
        [MSG_KEYD_IDENTITY] = {.keyd_identity = {.ca = {blob, 400},
                                                 .server = {blob, 401},
                                                 .client = {blob, 402},
                                                 .certificates = certificates,
                                                 .num_certificates = 2,
                                                 .secret_memory = true,
                                                 .audit_key = {blob, 91},
                                                 .ocsp = {blob, 430}}},
        [MSG_KEYD_GRANT] =
            {.keyd_grant = {21, PURPOSE_TLS_SERVER, "web[0]", 60, 22, "kiosk.example", 57, 58, 59, {blob, 421}, 86}},
        [MSG_KEYD_REVOKE] = {.keyd_revoke = 23},
        [MSG_KEYD_EVENT] = {.keyd_event = {24, GRANT_EVENT_REFUSED, REFUSAL_SCHEME, 25, 26, 60, 80, 81}},
        [MSG_KEYD_STATUS] = {.keyd_status = {27, 28, 29, grants, 2, 61, 85}},
        [MSG_SIGN_AUDIT_HEAD] = {.sign_audit_head = {53, {54}}},
        [MSG_AUDIT_HEAD] = {.audit_head = {55, {blob, 70}}},
        [MSG_KEYD_HOLD] = {.keyd_hold = true},
        [MSG_WEB_SETUP] =
            {.web_setup = {3,
                           true,
                           true,
                           30,
                           31,
                           true,
                           true,
                           true,
                           53,
                           {"X-Frame-Options:DENY", "Referrer-Policy:"},
                           2,
                           ACCESS_LOG_COMBINED,
                           5,
                           40,
                           {{"/api/", "unix:/run/app.sock", false}, {"/", "https://app.example:8443", true}},
                           2,
                           {41, 42, 43},
                           2,
                           {{"127.0.0.1:5433", "unix:/run/db.sock", 44, true}, {"[::1]:1", "127.0.0.1:2", 45, false}},
                           2}},
        [MSG_WEB_LISTEN] = {.web_listen = {2, SERVICE_STREAM, TLS_MODE_SERVER, "127.0.0.1:9000", 3, true}},
        [MSG_WEB_IDENTITY] = {.web_identity = {.chain = {{blob, 410}, {blob, 411}},
                                               .num_chain = 2,
                                               .client_cas = {{blob, 412}},
                                               .num_client_cas = 1,
                                               .has_client_ca_file = true,
                                               .own_client =
                                                   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                               .crl_rule = CRL_RULE_ALL_CAS,
                                               .ocsp = {blob, 431},
                                               .issuer = {blob, 432},
                                               .num_servers = 5}},
        [MSG_WEB_STATUS] =
            {.web_status =
                 {32, 33, 34, 35, 36, 37, {86, 87, 88, 89, 90, 91}, {92, 93, 94, 95}, {96, 97, 98}, 99, 101, 102, 103}},
        [MSG_WEB_REVOKE] = {.web_revoke = {revoked_handles, 2, revoked_serials, 2}},
        [MSG_WEB_REVOKED] = {.web_revoked = 54},
        [MSG_WEB_EXPECT] = {.web_expect = true},
        [MSG_WEB_CONNECT] = {.web_connect = 7},
        [MSG_WEB_CONNECT_STREAM] = {.web_connect_stream = 6},
        [MSG_WEB_CONNECTED] = {.web_connected = {ERR_SYSTEM, "Connection refused"}},
        [MSG_WEB_UPSTREAM] =
            {.web_upstream = {1, "app.example", {blob, 440}, {{blob, 441}, {blob, 442}}, 2, "it is revoked"}},
        [MSG_SHIM_SETUP] = {.shim_setup = {"chromium", "https://localhost:9000", 9000, 9001, true, true, true, ":0",
                                           "/run/user/1000/wayland-0", "/home/kiosk/.Xauthority", 3}},
        [MSG_SHIM_LAUNCH] = {.shim_launch = 38},
        [MSG_SHIM_RENEW] = {.shim_renew = 39},
        [MSG_SHIM_BROWSER] = {.shim_browser = {BROWSER_ENDED, 39, 256}},
        [MSG_FAILED] = {.failed = {"keyd: no memory; free some", ERR_MEMORY}},
        [MSG_SYSTEM_STATUS] = {.system_status = {"https://localhost:9000",
                                                 40,
                                                 true,
                                                 processes,
                                                 2,
                                                 handles,
                                                 2,
                                                 certificates,
                                                 2,
                                                 41,
                                                 42,
                                                 43,
                                                 44,
                                                 45,
                                                 46,
                                                 62,
                                                 82,
                                                 83,
                                                 84,
                                                 true,
                                                 TLS_MODE_OPTIONAL,
                                                 100}},
        [MSG_CA] = {.ca = {blob, 420}},
        [MSG_HANDLE_REVOKE] = {.handle_revoke = 47},
        [MSG_HANDLE_MINT] = {.handle_mint = {"browser-shim get", 60, 4, "localhost", 63, true, {blob, 422}, true}},
        [MSG_HANDLE_RESTRICT] = {.handle_restrict = {64, "part", 65, 66, 67, "localhost", true}},
        [MSG_HANDLE_LIST_QUERY] = {.handle_list_query = 68},
        [MSG_HANDLE_LIST] = {.handle_list = {handles, 2, 69}},
        [MSG_HANDLE_MINTED] = {.handle_minted = {48, {blob, 430}, {blob, 431}}},
        [MSG_DONE] = {.done = 55},
        [MSG_CERTIFICATE_REVOKE] = {.certificate_revoke = {blob, 16}},
        [MSG_SPAWN] = {.spawn = {PROGRAM_WEB, 3}},
        [MSG_SPAWNED] = {.spawned = {PROGRAM_SHIM, 4, 50}},
        [MSG_EXITED] = {.exited = {51, 9}},
        [MSG_KILL] = {.kill = {52, 15}},
        [MSG_WEB_TRUST] = {.web_trust = {.client_cas = {{blob, 423}, {blob, 424}},
                                         .num_client_cas = 2,
                                         .own_client =
                                             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                         .crl_rule = CRL_RULE_FILE_CAS,
                                         .has_client_ca_file = true}},
        [MSG_EXPLAIN_QUERY] = {.explain_query = {"192.0.2.1", 3}},
        [MSG_EXPLANATION] = {.explanation = {verdicts, 2, 1}},
        [MSG_METRICS] = {.metrics = {"keyd does not answer", {blob, 450}}},
        [MSG_PONG] = {.pong = 88},
        [MSG_KEYD_SETTLE] = {.keyd_settle = 87},
        [MSG_LOADED] = {.loaded = {blob, 425}},
        [MSG_AUDIT_STATE] = {.audit_state = {56, {57}, "c0ffee", 58, 59, true}},
        [MSG_SERVER_CERTIFICATE] =
            {.server_certificate = {4, "shop", {{blob, 425}, {blob, 426}}, 2, true, {blob, 433}}},
        [MSG_SERVER_INFO] = {.server_info = {.role = "server/shop",
                                             .subject = "CN=shop",
                                             .names = {"shop.example"},
                                             .num_names = 1,
                                             .serial = "03",
                                             .fingerprint = "cafe",
                                             .not_before = 99,
                                             .not_after = 100}},
        /* Without fields. */
        [MSG_PIN_HANDLE] = {.kind = MSG_PIN_HANDLE},
        [MSG_DESCRIBE_HANDLE] = {.kind = MSG_DESCRIBE_HANDLE},
        [MSG_HANDLE_PINNED] = {.kind = MSG_HANDLE_PINNED},
        [MSG_SHIM_LISTENER] = {.kind = MSG_SHIM_LISTENER},
        [MSG_READY] = {.kind = MSG_READY},
        [MSG_STATUS_QUERY] = {.kind = MSG_STATUS_QUERY},
        [MSG_STOP] = {.kind = MSG_STOP},
        [MSG_PING] = {.kind = MSG_PING},
        [MSG_WEB_TICKETS] = {.kind = MSG_WEB_TICKETS},
        [MSG_SYSTEM_STATUS_QUERY] = {.kind = MSG_SYSTEM_STATUS_QUERY},
        [MSG_CA_QUERY] = {.kind = MSG_CA_QUERY},
        [MSG_AUDIT_QUERY] = {.kind = MSG_AUDIT_QUERY},
        [MSG_RELOAD] = {.kind = MSG_RELOAD},
        [MSG_WEB_LOG] = {.kind = MSG_WEB_LOG},
        [MSG_LOG_REOPEN] = {.kind = MSG_LOG_REOPEN},
        [MSG_BROWSER_RENEW] = {.kind = MSG_BROWSER_RENEW},
        [MSG_LOAD] = {.kind = MSG_LOAD},
        [MSG_WEB_RETIRE] = {.kind = MSG_WEB_RETIRE},
        [MSG_METRICS_QUERY] = {.kind = MSG_METRICS_QUERY},
    };
    static const struct msg nothing = {0};
    if (memcmp(&samples[kind], &nothing, sizeof nothing) == 0) return nothing;
    struct msg sample = samples[kind];
    sample.kind = kind;
    sample.id = SAMPLE_ID;
    return sample;
}

#define SAME(field) cr_expect_eq(got->field, want->field, "%s: " #field, msg_kind_name(want->kind))
#define SAME_TEXT(field) cr_expect_str_eq(got->field, want->field, "%s: " #field, msg_kind_name(want->kind))
#define SAME_BYTES(field) cr_expect(bytes_equal(got->field, want->field), "%s: " #field, msg_kind_name(want->kind))
#define SAME_ARRAY(field) \
    cr_expect_arr_eq(got->field, want->field, sizeof want->field, "%s: " #field, msg_kind_name(want->kind))

static void same_certificates(const struct certificate_info *a, const struct certificate_info *b, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        cr_expect_str_eq(a[i].role, b[i].role);
        cr_expect_str_eq(a[i].subject, b[i].subject);
        cr_expect_str_eq(a[i].serial, b[i].serial);
        cr_expect_str_eq(a[i].fingerprint, b[i].fingerprint);
        cr_expect_eq(a[i].not_before, b[i].not_before);
        cr_expect_eq(a[i].not_after, b[i].not_after);
        cr_assert_eq(a[i].num_names, b[i].num_names);
        for (size_t j = 0; j < a[i].num_names; j++) cr_expect_str_eq(a[i].names[j], b[i].names[j]);
    }
}

static void same_keyd(const struct msg *got, const struct msg *want)
{
    if (want->kind == MSG_KEYD_SETUP) {
        SAME(keyd_setup.num_dns_names);
        SAME(keyd_setup.num_ip_addresses);
        for (size_t i = 0; i < want->keyd_setup.num_dns_names; i++) SAME_TEXT(keyd_setup.dns_names[i]);
        for (size_t i = 0; i < want->keyd_setup.num_ip_addresses; i++) SAME_BYTES(keyd_setup.ip_addresses[i]);
        SAME(keyd_setup.ca_lifetime_s);
        SAME(keyd_setup.leaf_lifetime_s);
        SAME_TEXT(keyd_setup.client_name);
        SAME(keyd_setup.log_style);
        SAME(keyd_setup.num_server_chain);
        SAME(keyd_setup.num_client_chain);
        SAME(keyd_setup.tls12);
        for (size_t i = 0; i < want->keyd_setup.num_server_chain; i++) SAME_BYTES(keyd_setup.server_chain[i]);
        for (size_t i = 0; i < want->keyd_setup.num_client_chain; i++) SAME_BYTES(keyd_setup.client_chain[i]);
    } else if (want->kind == MSG_KEYD_IDENTITY) {
        SAME_BYTES(keyd_identity.ca);
        SAME_BYTES(keyd_identity.server);
        SAME_BYTES(keyd_identity.client);
        SAME(keyd_identity.secret_memory);
        SAME_BYTES(keyd_identity.audit_key);
        SAME_BYTES(keyd_identity.ocsp);
        SAME(keyd_identity.num_certificates);
        same_certificates(got->keyd_identity.certificates, want->keyd_identity.certificates,
                          want->keyd_identity.num_certificates);
    } else if (want->kind == MSG_KEYD_GRANT) {
        SAME(keyd_grant.grant);
        SAME(keyd_grant.purpose);
        SAME_TEXT(keyd_grant.label);
        SAME(keyd_grant.lifetime_s);
        SAME(keyd_grant.max_signatures);
        SAME_TEXT(keyd_grant.server);
        SAME_BYTES(keyd_grant.ca);
        SAME(keyd_grant.rate);
        SAME(keyd_grant.pid);
        SAME(keyd_grant.parent);
        SAME(keyd_grant.setup);
    } else if (want->kind == MSG_KEYD_EVENT) {
        SAME(keyd_event.grant);
        SAME(keyd_event.what);
        SAME(keyd_event.reason);
        SAME(keyd_event.pid);
        SAME(keyd_event.uid);
        SAME(keyd_event.count);
        SAME(keyd_event.signatures);
        SAME(keyd_event.refusals);
    } else if (want->kind == MSG_KEYD_STATUS) {
        SAME(keyd_status.signatures);
        SAME(keyd_status.refusals);
        SAME(keyd_status.secret_bytes);
        SAME(keyd_status.num_grants);
        SAME(keyd_status.events_lost);
        SAME(keyd_status.total);
        for (size_t i = 0; i < want->keyd_status.num_grants; i++) {
            SAME(keyd_status.grants[i].grant);
            SAME(keyd_status.grants[i].signatures);
            SAME(keyd_status.grants[i].refusals);
        }
    }
}

static void same_handles(const struct handle_status *a, const struct handle_status *b, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        cr_expect_eq(a[i].handle, b[i].handle);
        cr_expect_str_eq(a[i].label, b[i].label);
        cr_expect_eq(a[i].purpose, b[i].purpose);
        cr_expect_eq(a[i].expires_in_s, b[i].expires_in_s);
        cr_expect_eq(a[i].signatures, b[i].signatures);
        cr_expect_eq(a[i].refusals, b[i].refusals);
        cr_expect_eq(a[i].max_signatures, b[i].max_signatures);
        cr_expect_eq(a[i].pinned_pid, b[i].pinned_pid);
        cr_expect_eq(a[i].rate, b[i].rate);
        cr_expect_eq(a[i].parent, b[i].parent);
        cr_expect_str_eq(a[i].server, b[i].server);
        cr_expect_str_eq(a[i].ca, b[i].ca);
    }
}

static void same_system_status(const struct msg *got, const struct msg *want)
{
    SAME_TEXT(system_status.url);
    SAME(system_status.ready_ms);
    SAME(system_status.secret_memory);
    SAME(system_status.handshakes);
    SAME(system_status.handshakes_failed);
    SAME(system_status.requests);
    SAME(system_status.requests_refused);
    SAME(system_status.signatures);
    SAME(system_status.refusals);
    SAME(system_status.audit_records);
    SAME(system_status.audit_pending);
    SAME(system_status.audit_lost);
    SAME(system_status.audit_held);
    SAME(system_status.mode);
    SAME(system_status.verdicts);
    SAME(system_status.num_processes);
    SAME(system_status.num_handles);
    SAME(system_status.total_handles);
    SAME(system_status.num_certificates);
    same_certificates(got->system_status.certificates, want->system_status.certificates,
                      want->system_status.num_certificates);
    for (size_t i = 0; i < want->system_status.num_processes; i++) {
        SAME_TEXT(system_status.processes[i].name);
        SAME(system_status.processes[i].pid);
        SAME(system_status.processes[i].uid);
        SAME(system_status.processes[i].seccomp_mode);
        SAME(system_status.processes[i].no_new_privs);
        SAME(system_status.processes[i].landlock_abi);
        SAME_TEXT(system_status.processes[i].namespaces);
        SAME(system_status.processes[i].restarts);
        SAME(system_status.processes[i].resident_bytes);
    }
    same_handles(got->system_status.handles, want->system_status.handles, want->system_status.num_handles);
}

static void same_explanation(const struct msg *got, const struct msg *want)
{
    SAME(explanation.silent);
    SAME(explanation.num_verdicts);
    for (size_t i = 0; i < want->explanation.num_verdicts; i++) {
        SAME_TEXT(explanation.verdicts[i].address);
        SAME(explanation.verdicts[i].kind);
        SAME(explanation.verdicts[i].count);
        SAME(explanation.verdicts[i].first_ms);
        SAME(explanation.verdicts[i].last_ms);
        SAME_TEXT(explanation.verdicts[i].reason);
        SAME_TEXT(explanation.verdicts[i].remedy);
        SAME_TEXT(explanation.verdicts[i].subject);
        SAME_TEXT(explanation.verdicts[i].issuer);
        SAME_TEXT(explanation.verdicts[i].serial);
        SAME_TEXT(explanation.verdicts[i].fingerprint);
        SAME(explanation.verdicts[i].not_before);
        SAME(explanation.verdicts[i].not_after);
    }
}

static void same_web(const struct msg *got, const struct msg *want)
{
    if (want->kind == MSG_WEB_SETUP) {
        SAME(web_setup.worker);
        SAME(web_setup.has_root);
        SAME(web_setup.has_uploads);
        SAME(web_setup.max_upload_bytes);
        SAME(web_setup.idle_timeout_ms);
        SAME(web_setup.tls12);
        SAME(web_setup.spa);
        SAME(web_setup.immutable);
        SAME(web_setup.upload_quota);
        SAME(web_setup.access_log);
        SAME(web_setup.limits.connections);
        SAME(web_setup.limits.address_connections);
        SAME(web_setup.limits.address_handshakes);
        SAME(web_setup.tls_groups);
        SAME(web_setup.tls_suites);
        SAME(web_setup.num_headers);
        SAME(web_setup.log_style);
        SAME(web_setup.num_proxies);
        for (size_t i = 0; i < want->web_setup.num_proxies; i++) {
            SAME_TEXT(web_setup.proxies[i].prefix);
            SAME_TEXT(web_setup.proxies[i].upstream);
            SAME(web_setup.proxies[i].tls);
        }
        SAME(web_setup.num_streams);
        for (size_t i = 0; i < want->web_setup.num_streams; i++) {
            SAME_TEXT(web_setup.streams[i].address);
            SAME_TEXT(web_setup.streams[i].upstream);
            SAME(web_setup.streams[i].idle_ms);
            SAME(web_setup.streams[i].proxy_protocol);
        }
        for (size_t i = 0; i < want->web_setup.num_headers; i++) SAME_TEXT(web_setup.headers[i]);
    } else if (want->kind == MSG_WEB_LISTEN) {
        SAME(web_listen.slot);
        SAME(web_listen.service);
        SAME(web_listen.mode);
        SAME_TEXT(web_listen.address);
        SAME(web_listen.stream);
        SAME(web_listen.browser);
    } else if (want->kind == MSG_WEB_IDENTITY) {
        SAME(web_identity.num_chain);
        SAME(web_identity.num_client_cas);
        SAME(web_identity.has_client_ca_file);
        SAME_TEXT(web_identity.own_client);
        SAME(web_identity.crl_rule);
        SAME(web_identity.num_servers);
        SAME_BYTES(web_identity.ocsp);
        SAME_BYTES(web_identity.issuer);
        for (size_t i = 0; i < want->web_identity.num_chain; i++) SAME_BYTES(web_identity.chain[i]);
        for (size_t i = 0; i < want->web_identity.num_client_cas; i++) SAME_BYTES(web_identity.client_cas[i]);
    } else if (want->kind == MSG_WEB_STATUS) {
        SAME(web_status.handshakes);
        SAME(web_status.handshakes_failed);
        SAME(web_status.requests);
        SAME(web_status.requests_refused);
        SAME(web_status.connections);
        SAME(web_status.echo_lines);
        for (size_t i = 0; i < HANDSHAKE_FAILURES; i++) SAME(web_status.failures[i]);
        for (size_t i = 0; i < RESPONSE_CLASSES; i++) SAME(web_status.responses[i]);
        for (size_t i = 0; i < CONNECTION_LIMITS; i++) SAME(web_status.limited[i]);
        SAME(web_status.verdicts);
        SAME(web_status.access_lost);
        SAME(web_status.crl_next_update);
        SAME(web_status.ocsp_next_update);
    } else if (want->kind == MSG_WEB_REVOKE) {
        SAME(web_revoke.num_handles);
        SAME(web_revoke.num_serials);
        for (size_t i = 0; i < want->web_revoke.num_handles; i++) SAME(web_revoke.handles[i]);
        for (size_t i = 0; i < want->web_revoke.num_serials; i++) SAME_BYTES(web_revoke.serials[i]);
    } else if (want->kind == MSG_WEB_EXPECT) {
        SAME(web_expect);
    } else if (want->kind == MSG_WEB_REVOKED) {
        SAME(web_revoked);
    } else if (want->kind == MSG_SHIM_SETUP) {
        SAME_TEXT(shim_setup.browser);
        SAME_TEXT(shim_setup.url);
        SAME(shim_setup.port);
        SAME(shim_setup.web_port);
        SAME(shim_setup.headless);
        SAME(shim_setup.kiosk);
        SAME(shim_setup.has_screenshot);
        SAME_TEXT(shim_setup.display);
        SAME(shim_setup.log_style);
        SAME_TEXT(shim_setup.wayland_display);
        SAME_TEXT(shim_setup.xauthority);
    }
}

void sample_expect_same(const struct msg *got, const struct msg *want)
{
    SAME(kind);
    SAME(id);
    same_keyd(got, want);
    same_web(got, want);
    switch ((int)want->kind) {
    case MSG_SIGN_TLS13_SERVER:
        SAME(sign_tls13_server.scheme);
        SAME_BYTES(sign_tls13_server.transcript_hash);
        SAME(sign_tls13_server.server);
        break;
    case MSG_SIGN_TLS12_SERVER:
        SAME(sign_tls12_server.scheme);
        SAME_ARRAY(sign_tls12_server.client_random);
        SAME_ARRAY(sign_tls12_server.server_random);
        SAME(sign_tls12_server.group);
        SAME_BYTES(sign_tls12_server.point);
        SAME(sign_tls12_server.server);
        break;
    case MSG_SIGN_TLS13_CLIENT:
        SAME(sign_tls13_client.scheme);
        SAME_BYTES(sign_tls13_client.messages);
        break;
    case MSG_EXPECT_CLIENT: SAME_BYTES(expect_client); break;
    case MSG_SERVER_CERTIFICATE:
        SAME(server_certificate.number);
        SAME_TEXT(server_certificate.name);
        SAME(server_certificate.num_chain);
        SAME(server_certificate.has_key);
        SAME_BYTES(server_certificate.ocsp);
        for (size_t i = 0; i < want->server_certificate.num_chain; i++) SAME_BYTES(server_certificate.chain[i]);
        break;
    case MSG_SERVER_INFO: same_certificates(&got->server_info, &want->server_info, 1); break;
    case MSG_CLIENT_BOUND:
        SAME(client_bound.handle);
        SAME(client_bound.num_above);
        for (size_t i = 0; i < want->client_bound.num_above; i++) SAME(client_bound.above[i]);
        break;
    case MSG_WEB_CONNECT: SAME(web_connect); break;
    case MSG_WEB_UPSTREAM:
        SAME(web_upstream.proxy);
        SAME_TEXT(web_upstream.host);
        SAME_BYTES(web_upstream.ca);
        SAME(web_upstream.num_chain);
        for (size_t i = 0; i < want->web_upstream.num_chain; i++) SAME_BYTES(web_upstream.chain[i]);
        SAME_TEXT(web_upstream.reason);
        break;
    case MSG_WEB_CONNECT_STREAM: SAME(web_connect_stream); break;
    case MSG_WEB_CONNECTED:
        SAME(web_connected.error);
        SAME_TEXT(web_connected.reason);
        break;
    case MSG_SIGN_BROWSER_DIGEST:
        SAME(sign_browser_digest.digest_len);
        cr_expect_arr_eq(got->sign_browser_digest.digest, want->sign_browser_digest.digest,
                         want->sign_browser_digest.digest_len);
        SAME(sign_browser_digest.scheme);
        break;
    case MSG_SIGNATURE: SAME_BYTES(signature); break;
    case MSG_REFUSAL: SAME(refusal); break;
    case MSG_HANDLE_DESCRIPTION:
        SAME_TEXT(handle_description.label);
        SAME_BYTES(handle_description.leaf);
        SAME_BYTES(handle_description.issuer);
        SAME_BYTES(handle_description.server_ca);
        break;
    case MSG_KEYD_REVOKE: SAME(keyd_revoke); break;
    case MSG_SHIM_LAUNCH: SAME(shim_launch); break;
    case MSG_SHIM_RENEW: SAME(shim_renew); break;
    case MSG_SHIM_BROWSER:
        SAME(shim_browser.state);
        SAME(shim_browser.pid);
        SAME(shim_browser.status);
        break;
    case MSG_FAILED:
        SAME_TEXT(failed.text);
        SAME(failed.error);
        break;
    case MSG_SYSTEM_STATUS: same_system_status(got, want); break;
    case MSG_CA: SAME_BYTES(ca); break;
    case MSG_HANDLE_REVOKE: SAME(handle_revoke); break;
    case MSG_HANDLE_MINT:
        SAME_TEXT(handle_mint.label);
        SAME(handle_mint.lifetime_s);
        SAME(handle_mint.max_signatures);
        SAME_TEXT(handle_mint.server);
        SAME_BYTES(handle_mint.ca);
        SAME(handle_mint.rate);
        SAME(handle_mint.pinned);
        SAME(handle_mint.digests);
        break;
    case MSG_HANDLE_RESTRICT:
        SAME(handle_restrict.parent);
        SAME_TEXT(handle_restrict.label);
        SAME(handle_restrict.lifetime_s);
        SAME(handle_restrict.max_signatures);
        SAME(handle_restrict.rate);
        SAME_TEXT(handle_restrict.server);
        SAME(handle_restrict.pinned);
        break;
    case MSG_HANDLE_LIST_QUERY: SAME(handle_list_query); break;
    case MSG_HANDLE_LIST:
        SAME(handle_list.total);
        SAME(handle_list.num_handles);
        same_handles(got->handle_list.handles, want->handle_list.handles, want->handle_list.num_handles);
        break;
    case MSG_HANDLE_MINTED:
        SAME(handle_minted.handle);
        SAME_BYTES(handle_minted.client);
        SAME_BYTES(handle_minted.ca);
        break;
    case MSG_DONE: SAME(done); break;
    case MSG_CERTIFICATE_REVOKE: SAME_BYTES(certificate_revoke); break;
    case MSG_SPAWN:
        SAME(spawn.program);
        SAME(spawn.instance);
        break;
    case MSG_SPAWNED:
        SAME(spawned.program);
        SAME(spawned.instance);
        SAME(spawned.pid);
        break;
    case MSG_EXITED:
        SAME(exited.pid);
        SAME(exited.status);
        break;
    case MSG_KILL:
        SAME(kill.pid);
        SAME(kill.signal);
        break;
    case MSG_SIGN_AUDIT_HEAD:
        SAME(sign_audit_head.number);
        SAME_ARRAY(sign_audit_head.hash);
        break;
    case MSG_AUDIT_HEAD:
        SAME(audit_head.number);
        SAME_BYTES(audit_head.signature);
        break;
    case MSG_KEYD_HOLD: SAME(keyd_hold); break;
    case MSG_WEB_TRUST:
        SAME(web_trust.num_client_cas);
        for (size_t i = 0; i < want->web_trust.num_client_cas; i++) SAME_BYTES(web_trust.client_cas[i]);
        SAME_TEXT(web_trust.own_client);
        SAME(web_trust.crl_rule);
        SAME(web_trust.has_client_ca_file);
        break;
    case MSG_EXPLAIN_QUERY:
        SAME_TEXT(explain_query.host);
        SAME(explain_query.max);
        break;
    case MSG_EXPLANATION: same_explanation(got, want); break;
    case MSG_KEYD_SETTLE: SAME(keyd_settle); break;
    case MSG_PONG: SAME(pong); break;
    case MSG_LOADED: SAME_BYTES(loaded); break;
    case MSG_METRICS:
        SAME_TEXT(metrics.fault);
        SAME_BYTES(metrics.text);
        break;
    case MSG_AUDIT_STATE:
        SAME(audit_state.records);
        SAME_ARRAY(audit_state.hash);
        SAME_TEXT(audit_state.fingerprint);
        SAME(audit_state.pending);
        SAME(audit_state.lost);
        SAME(audit_state.held);
        break;
    default: break;
    }
}
