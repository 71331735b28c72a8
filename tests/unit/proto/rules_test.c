#include "proto/rules.h"

#include <criterion/criterion.h>

#include "tests/unit/proto/sample.h"

#define ALL_KINDS (MSG_BIT(MSG_NUM_KINDS) - 1)

static bool accepts(enum link_role role, enum link_end end, enum msg_kind kind)
{
    return (rules_accepted(role, end) & MSG_BIT(kind)) != 0;
}

Test(rules, no_kind_travels_both_ways)
{
    for (unsigned role = 0; role < LINK_NUM_ROLES; role++) {
        msg_kinds upper = rules_accepted(role, LINK_UPPER), lower = rules_accepted(role, LINK_LOWER);
        cr_expect_neq(upper, 0, "role %u", role);
        cr_expect_neq(lower, 0, "role %u", role);
        cr_expect_eq(upper & lower, 0, "role %u", role);
        cr_expect_eq((upper | lower) & ~ALL_KINDS, 0);
        cr_expect_eq((upper | lower) & MSG_BIT(MSG_NONE), 0);
    }
}

Test(rules, every_kind_travels_somewhere)
{
    msg_kinds all = 0;
    for (unsigned role = 0; role < LINK_NUM_ROLES; role++) {
        all |= rules_accepted(role, LINK_UPPER) | rules_accepted(role, LINK_LOWER);
    }
    cr_expect_eq(all, ALL_KINDS & ~MSG_BIT(MSG_NONE));
}

Test(rules, a_signing_channel_carries_its_own_purpose_and_nothing_else)
{
    cr_expect_eq(rules_accepted(LINK_SIGN_SERVER, LINK_UPPER),
                 MSG_BIT(MSG_SIGN_TLS13_SERVER) | MSG_BIT(MSG_SIGN_TLS12_SERVER) | MSG_BIT(MSG_EXPECT_CLIENT));
    cr_expect_eq(rules_accepted(LINK_SIGN_CLIENT, LINK_UPPER), MSG_BIT(MSG_SIGN_TLS13_CLIENT));
    cr_expect_eq(rules_accepted(LINK_SIGN_BROWSER, LINK_UPPER),
                 MSG_BIT(MSG_SIGN_BROWSER_DIGEST) | MSG_BIT(MSG_PIN_HANDLE) | MSG_BIT(MSG_DESCRIBE_HANDLE));
    cr_expect_eq(rules_accepted(LINK_SIGN_GATEWAY, LINK_UPPER),
                 MSG_BIT(MSG_SIGN_TLS13_CLIENT) | MSG_BIT(MSG_PIN_HANDLE) | MSG_BIT(MSG_DESCRIBE_HANDLE));
}

Test(rules, keyd_says_nothing_but_what_the_broker_asked_for)
{
    cr_expect_eq(rules_accepted(LINK_BROKER_KEYD, LINK_UPPER),
                 MSG_BIT(MSG_KEYD_IDENTITY) | MSG_BIT(MSG_SERVER_INFO) | MSG_BIT(MSG_KEYD_EVENT) |
                     MSG_BIT(MSG_KEYD_STATUS) | MSG_BIT(MSG_AUDIT_HEAD) | MSG_BIT(MSG_PONG) | MSG_BIT(MSG_FAILED));
}

Test(rules, only_the_broker_grants)
{
    for (unsigned role = 0; role < LINK_NUM_ROLES; role++) {
        cr_expect_eq(accepts(role, LINK_LOWER, MSG_KEYD_GRANT), role == LINK_BROKER_KEYD, "role %u", role);
        cr_expect_not(accepts(role, LINK_UPPER, MSG_KEYD_GRANT), "role %u", role);
    }
}

Test(rules, who_asks_for_signatures_sends_small_packets)
{
    for (unsigned role = 0; role < LINK_NUM_ROLES; role++) {
        bool signing = role == LINK_SIGN_SERVER || role == LINK_SIGN_CLIENT || role == LINK_SIGN_BROWSER ||
                       role == LINK_SIGN_GATEWAY;
        size_t asking = role == LINK_SIGN_BROWSER                               ? LIMIT_SIGN_PACKET
                        : role == LINK_SIGN_CLIENT || role == LINK_SIGN_GATEWAY ? LIMIT_CLIENT_PACKET
                                                                                : LIMIT_TRANSCRIPT_PACKET;
        cr_expect_eq(rules_max_packet(role, LINK_UPPER), signing ? asking : LIMIT_PACKET);
        cr_expect_eq(rules_max_packet(role, LINK_LOWER), LIMIT_PACKET);
        cr_expect_eq(rules_max_fds(role), signing ? 0 : LIMIT_PACKET_FDS);
    }
}

/* How many descriptors each kind's sample brings, by the schema's comments. */
static size_t fds_of(enum msg_kind kind)
{
    switch ((int)kind) {
    case MSG_WEB_SETUP: /* root, uploads and the memory for their quota */
    case MSG_WEB_IDENTITY: /* the channel, a CA file and revocation lists */ return 3;
    case MSG_KEYD_SETUP: /* the server's key and the client's */
    case MSG_WEB_TRUST:  /* a CA file and revocation lists */
    case MSG_SHIM_SETUP: /* the module and a screenshot */ return 2;
    case MSG_KEYD_GRANT:
    case MSG_WEB_LISTEN:
    case MSG_WEB_LOG:
    case MSG_SERVER_CERTIFICATE: /* the sample says that it has a key */
    case MSG_WEB_TICKETS:
    case MSG_SHIM_LISTENER:
    case MSG_SHIM_LAUNCH:
    case MSG_SHIM_RENEW:
    case MSG_HANDLE_MINTED:
    case MSG_SPAWN:
    case MSG_LOAD:
    case MSG_LOADED:
    case MSG_SPAWNED: return 1;
    default: return 0;
    }
}

Test(rules, each_kind_brings_its_descriptors)
{
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
        struct msg sample = sample_of(kind);
        for (size_t num = 0; num <= LIMIT_PACKET_FDS; num++) {
            cr_expect_eq(rules_fds_valid(&sample, num), num == fds_of(kind), "%s with %zu", msg_kind_name(kind), num);
        }
    }
}

Test(rules, optional_descriptors_are_announced)
{
    struct msg setup = {.kind = MSG_WEB_SETUP, .web_setup = {.has_uploads = true}};
    cr_expect(rules_fds_valid(&setup, 1));
    cr_expect_not(rules_fds_valid(&setup, 0));
    setup.web_setup.upload_quota = 1;
    cr_expect(rules_fds_valid(&setup, 2));
    cr_expect_not(rules_fds_valid(&setup, 1));
    setup.web_setup.upload_quota = 0;
    setup.web_setup.has_uploads = false;
    cr_expect(rules_fds_valid(&setup, 0));
    cr_expect_not(rules_fds_valid(&setup, 1));
    struct msg keyd = {.kind = MSG_KEYD_SETUP};
    for (size_t server = 0; server <= 2; server++) {
        for (size_t client = 0; client <= 2; client++) {
            keyd.keyd_setup.num_server_chain = server;
            keyd.keyd_setup.num_client_chain = client;
            for (size_t num = 0; num <= 3; num++)
                cr_expect_eq(rules_fds_valid(&keyd, num), num == (size_t)(server > 0) + (size_t)(client > 0));
        }
    }
    struct msg server = sample_of(MSG_SERVER_CERTIFICATE);
    server.server_certificate.has_key = false;
    cr_expect(rules_fds_valid(&server, 0));
    cr_expect_not(rules_fds_valid(&server, 1));
    struct msg identity = {.kind = MSG_WEB_IDENTITY};
    cr_expect(rules_fds_valid(&identity, 1));
    identity.web_identity.crl_rule = CRL_RULE_FILE_CAS;
    cr_expect(rules_fds_valid(&identity, 2));
    struct msg trust = {.kind = MSG_WEB_TRUST};
    cr_expect(rules_fds_valid(&trust, 0));
    trust.web_trust.crl_rule = CRL_RULE_FILE_CAS;
    cr_expect(rules_fds_valid(&trust, 1));
    trust.web_trust.has_client_ca_file = true;
    cr_expect(rules_fds_valid(&trust, 2));
    cr_expect_not(rules_fds_valid(&trust, 1));
    struct msg connected = {.kind = MSG_WEB_CONNECTED};
    cr_expect(rules_fds_valid(&connected, 1));
    cr_expect_not(rules_fds_valid(&connected, 0));
    struct msg upstream = {.kind = MSG_WEB_UPSTREAM, .web_upstream = {.reason = ""}};
    cr_expect(rules_fds_valid(&upstream, 1));
    cr_expect_not(rules_fds_valid(&upstream, 0));
    struct msg shim = {.kind = MSG_SHIM_SETUP};
    cr_expect(rules_fds_valid(&shim, 1));
}
