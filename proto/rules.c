#include "proto/rules.h"

#include "base/check.h"

#define KIND(name) MSG_BIT(MSG_##name)

/* accepted[LINK_UPPER] is what the upper end takes, which is what the lower end may say, and the other way round. */
static const struct {
    msg_kinds accepted[2];
} roles[LINK_NUM_ROLES] = {
    [LINK_BROKER_KEYD] =
        {
            .accepted[LINK_UPPER] = KIND(KEYD_IDENTITY) | KIND(SERVER_INFO) | KIND(KEYD_EVENT) | KIND(KEYD_STATUS) |
                                    KIND(AUDIT_HEAD) | KIND(PONG) | KIND(FAILED),
            .accepted[LINK_LOWER] = KIND(KEYD_SETUP) | KIND(SERVER_CERTIFICATE) | KIND(KEYD_GRANT) | KIND(KEYD_REVOKE) |
                                    KIND(KEYD_SETTLE) | KIND(STATUS_QUERY) | KIND(PING) | KIND(SIGN_AUDIT_HEAD) |
                                    KIND(KEYD_HOLD) | KIND(STOP),
        },
    [LINK_BROKER_WEB] =
        {
            .accepted[LINK_UPPER] = KIND(WEB_STATUS) | KIND(WEB_REVOKED) | KIND(WEB_CONNECT) |
                                    KIND(WEB_CONNECT_STREAM) | KIND(METRICS_QUERY) | KIND(EXPLANATION) | KIND(DONE) |
                                    KIND(PONG) | KIND(READY) | KIND(FAILED),
            .accepted[LINK_LOWER] = KIND(WEB_SETUP) | KIND(WEB_IDENTITY) | KIND(SERVER_CERTIFICATE) | KIND(WEB_LISTEN) |
                                    KIND(WEB_REVOKE) | KIND(WEB_EXPECT) | KIND(WEB_TICKETS) | KIND(WEB_TRUST) |
                                    KIND(WEB_CONNECTED) | KIND(WEB_UPSTREAM) | KIND(METRICS) | KIND(EXPLAIN_QUERY) |
                                    KIND(WEB_LOG) | KIND(STATUS_QUERY) | KIND(PING) | KIND(WEB_RETIRE) | KIND(STOP),
        },
    [LINK_BROKER_SHIM] =
        {
            .accepted[LINK_UPPER] = KIND(SHIM_LISTENER) | KIND(SHIM_BROWSER) | KIND(PONG) | KIND(READY) | KIND(FAILED),
            .accepted[LINK_LOWER] = KIND(SHIM_SETUP) | KIND(SHIM_LAUNCH) | KIND(SHIM_RENEW) | KIND(PING) | KIND(STOP),
        },
    [LINK_BROKER_SPAWNER] =
        {
            .accepted[LINK_UPPER] =
                KIND(SPAWNED) | KIND(EXITED) | KIND(LOADED) | KIND(PONG) | KIND(READY) | KIND(FAILED),
            .accepted[LINK_LOWER] = KIND(SPAWN) | KIND(KILL) | KIND(LOAD) | KIND(PING) | KIND(STOP),
        },
    [LINK_CONTROL] =
        {
            .accepted[LINK_UPPER] = KIND(SYSTEM_STATUS_QUERY) | KIND(CA_QUERY) | KIND(HANDLE_REVOKE) |
                                    KIND(HANDLE_MINT) | KIND(HANDLE_RESTRICT) | KIND(HANDLE_LIST_QUERY) |
                                    KIND(CERTIFICATE_REVOKE) | KIND(AUDIT_QUERY) | KIND(RELOAD) | KIND(BROWSER_RENEW) |
                                    KIND(EXPLAIN_QUERY) | KIND(LOG_REOPEN),
            .accepted[LINK_LOWER] = KIND(SYSTEM_STATUS) | KIND(CA) | KIND(HANDLE_MINTED) | KIND(HANDLE_LIST) |
                                    KIND(DONE) | KIND(AUDIT_STATE) | KIND(EXPLANATION) | KIND(FAILED),
        },
    [LINK_SIGN_SERVER] =
        {
            .accepted[LINK_UPPER] = KIND(SIGN_TLS13_SERVER) | KIND(SIGN_TLS12_SERVER) | KIND(EXPECT_CLIENT),
            .accepted[LINK_LOWER] = KIND(SIGNATURE) | KIND(REFUSAL) | KIND(CLIENT_BOUND),
        },
    [LINK_SIGN_CLIENT] =
        {
            .accepted[LINK_UPPER] = KIND(SIGN_TLS13_CLIENT),
            .accepted[LINK_LOWER] = KIND(SIGNATURE) | KIND(REFUSAL),
        },
    [LINK_SIGN_BROWSER] =
        {
            .accepted[LINK_UPPER] = KIND(SIGN_BROWSER_DIGEST) | KIND(PIN_HANDLE) | KIND(DESCRIBE_HANDLE),
            .accepted[LINK_LOWER] = KIND(SIGNATURE) | KIND(REFUSAL) | KIND(HANDLE_PINNED) | KIND(HANDLE_DESCRIPTION),
        },
    [LINK_SIGN_GATEWAY] =
        {
            .accepted[LINK_UPPER] = KIND(SIGN_TLS13_CLIENT) | KIND(PIN_HANDLE) | KIND(DESCRIBE_HANDLE),
            .accepted[LINK_LOWER] = KIND(SIGNATURE) | KIND(REFUSAL) | KIND(HANDLE_PINNED) | KIND(HANDLE_DESCRIPTION),
        },
};

static bool is_signing(enum link_role role)
{
    return role == LINK_SIGN_SERVER || role == LINK_SIGN_CLIENT || role == LINK_SIGN_BROWSER ||
           role == LINK_SIGN_GATEWAY;
}

msg_kinds rules_accepted(enum link_role role, enum link_end end)
{
    CHECK((unsigned)role < LINK_NUM_ROLES && (unsigned)end <= LINK_LOWER);
    return roles[role].accepted[end];
}

size_t rules_max_packet(enum link_role role, enum link_end receiver)
{
    if (!is_signing(role) || receiver == LINK_LOWER) return LIMIT_PACKET;
    if (role == LINK_SIGN_CLIENT || role == LINK_SIGN_GATEWAY) return LIMIT_CLIENT_PACKET;
    return role == LINK_SIGN_BROWSER ? LIMIT_SIGN_PACKET : LIMIT_TRANSCRIPT_PACKET;
}

size_t rules_max_fds(enum link_role role)
{
    return is_signing(role) ? 0 : LIMIT_PACKET_FDS;
}

/* How many descriptors a kind always brings; the kinds that are not here bring none. */
static const uint8_t always_fds[MSG_NUM_KINDS] = {
    [MSG_KEYD_GRANT] = 1,    /* keyd's end of the channel */
    [MSG_WEB_LISTEN] = 1,    /* the listener */
    [MSG_WEB_TICKETS] = 1,   /* the keys */
    [MSG_WEB_IDENTITY] = 1,  /* the channel to keyd */
    [MSG_WEB_LOG] = 1,       /* the access log */
    [MSG_SHIM_SETUP] = 1,    /* the PKCS#11 module */
    [MSG_SHIM_LISTENER] = 1, /* the listener */
    [MSG_SHIM_LAUNCH] = 1,   /* the handle */
    [MSG_SHIM_RENEW] = 1,    /* the handle */
    [MSG_HANDLE_MINTED] = 1, /* the handle */
    [MSG_SPAWN] = 1,         /* the new process's channel */
    [MSG_SPAWNED] = 1,       /* its pidfd */
    [MSG_LOAD] = 1,          /* the loader's channel */
    [MSG_LOADED] = 1,        /* the file */
};

/* How many more this message says that it brings. */
static size_t announced_fds(const struct msg *msg)
{
    if (msg->kind == MSG_KEYD_SETUP)
        return (size_t)(msg->keyd_setup.num_server_chain > 0) + (size_t)(msg->keyd_setup.num_client_chain > 0);
    if (msg->kind == MSG_WEB_SETUP) {
        const struct web_setup *setup = &msg->web_setup;
        return (size_t)setup->has_root + (size_t)setup->has_uploads + (setup->upload_quota > 0 ? 1u : 0u);
    }
    if (msg->kind == MSG_WEB_UPSTREAM) return msg->web_upstream.reason == NULL || msg->web_upstream.reason[0] == '\0';
    if (msg->kind == MSG_WEB_CONNECTED) return msg->web_connected.error == 0;
    if (msg->kind == MSG_WEB_IDENTITY)
        return (size_t)msg->web_identity.has_client_ca_file + (msg->web_identity.crl_rule != CRL_RULE_NONE ? 1u : 0u);
    if (msg->kind == MSG_WEB_TRUST)
        return (size_t)msg->web_trust.has_client_ca_file + (msg->web_trust.crl_rule != CRL_RULE_NONE ? 1u : 0u);
    if (msg->kind == MSG_SERVER_CERTIFICATE) return msg->server_certificate.has_key;
    if (msg->kind == MSG_SHIM_SETUP) return msg->shim_setup.has_screenshot;
    return 0;
}

bool rules_fds_valid(const struct msg *msg, size_t num_fds)
{
    return num_fds == (size_t)always_fds[msg->kind] + announced_fds(msg);
}
