/* Handles of the running program for the server of another one, whose CA they are pinned to. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"
#include "tests/unit/keyd/pki.h"

static struct peer ours, theirs;
static struct link our_server, their_server;
static struct bytes their_ca;
static struct shake shake;
static struct msg answer;

static void setup(void)
{
    peer_start(&ours);
    peer_start(&theirs);
    our_server = peer_grant(&ours, 1, PURPOSE_TLS_SERVER, 0, 0);
    their_server = peer_grant(&theirs, 1, PURPOSE_TLS_SERVER, 0, 0);
    /* What is theirs is the server; the client in its handshakes is ours. */
    struct keyd_identity *identity = &theirs.identity.keyd_identity;
    their_ca = identity->ca;
    identity->client = ours.identity.keyd_identity.client;
    identity->ca = ours.identity.keyd_identity.ca;
}

static void teardown(void)
{
    peer_stop(&theirs);
    peer_stop(&ours);
}

TestSuite(foreign_process, .init = setup, .fini = teardown);

static struct link grant_with(struct keyd_grant terms)
{
    terms.label = "test";
    return peer_grant_terms(&ours, &terms);
}

static struct link grant_for_theirs(uint64_t grant)
{
    return grant_with((struct keyd_grant){
        .grant = grant, .purpose = PURPOSE_TLS_CLIENT, .lifetime_s = 60, .server = "localhost", .ca = their_ca});
}

static void expect_signed(const struct link *client)
{
    for (size_t i = 0; i < shake_num_kinds; i++) {
        peer_shake(&theirs, &shake, &their_server, &shake_kinds[i]);
        const struct msg request = peer_sign_tls13_client(&shake, 4);
        cr_assert_eq(peer_ask(&ours, client, &answer, &request), ERR_OK);
        peer_assert_client_signed(&ours, &shake, &answer);
        cr_assert_eq(peer_event(&ours).what, GRANT_EVENT_SIGNED);
    }
}

Test(foreign_process, signs_with_the_server_that_it_is_pinned_to)
{
    const struct link client = grant_for_theirs(2);
    expect_signed(&client);
    peer_shake(&ours, &shake, &our_server, &shake_kinds[0]);
    const struct msg request = peer_sign_tls13_client(&shake, 5);
    cr_assert_eq(peer_ask(&ours, &client, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_SERVER);
    cr_assert_eq(peer_event(&ours).reason, REFUSAL_SERVER);
}

/* Nothing that it is asked makes it keep more. */
Test(foreign_process, its_memory_stays_as_it_is)
{
    const struct link client = grant_for_theirs(2);
    expect_signed(&client);
    const uint64_t before = peer_status(&ours).secret_bytes;
    for (int i = 0; i < 5; i++) expect_signed(&client);
    cr_assert_eq(peer_status(&ours).secret_bytes, before);
}

Test(foreign_process, what_is_derived_has_the_same_ca)
{
    const struct link client = grant_for_theirs(2);
    const struct link part = grant_with(
        (struct keyd_grant){.grant = 3, .purpose = PURPOSE_TLS_CLIENT, .parent = 2, .server = "", .ca = {NULL, 0}});
    cr_assert_eq(peer_event(&ours).what, GRANT_EVENT_OPENED);
    expect_signed(&part);
    const struct link part_of_part =
        grant_with((struct keyd_grant){.grant = 4, .purpose = PURPOSE_TLS_CLIENT, .parent = 3, .server = ""});
    cr_assert_eq(peer_event(&ours).what, GRANT_EVENT_OPENED);
    expect_signed(&part_of_part);
    close(part.fd);
    cr_assert_eq(peer_event(&ours).what, GRANT_EVENT_CLOSED);
    cr_assert_eq(peer_event(&ours).what, GRANT_EVENT_CLOSED);
    expect_signed(&client);
}

static void expect_not_opened(struct keyd_grant terms, const char *what)
{
    const struct link client = grant_with(terms);
    struct packet_extra extra;
    const struct keyd_event event = peer_event(&ours);
    cr_assert_eq(event.grant, terms.grant, "%s", what);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED, "%s", what);
    cr_assert_eq(event.reason, REFUSAL_PARAMETERS, "%s: %d", what, event.reason);
    cr_assert_eq(link_recv(&client, &answer, &extra, ours.arena), ERR_CLOSED, "%s", what);
    close(client.fd);
}

Test(foreign_process, opens_no_handle_that_could_never_be_used)
{
    static uint8_t nonsense[LIMIT_CERTIFICATE];
    const struct keyd_grant good = {
        .grant = 7, .purpose = PURPOSE_TLS_CLIENT, .lifetime_s = 60, .server = "localhost", .ca = their_ca};
    struct keyd_grant bad = good;
    bad.ca = (struct bytes){nonsense, sizeof(nonsense)};
    expect_not_opened(bad, "no certificate");
    bad.ca = ours.identity.keyd_identity.client;
    expect_not_opened(bad, "not a CA's");
    bad = good;
    bad.server = "";
    expect_not_opened(bad, "no server");
    bad.server = "*.example.com";
    expect_not_opened(bad, "more than one server");
    bad = good;
    bad.purpose = PURPOSE_BROWSER_DIGEST;
    expect_not_opened(bad, "a browser's");
    bad.purpose = PURPOSE_TLS_SERVER;
    expect_not_opened(bad, "a server's");

    const struct link client = grant_for_theirs(2);
    bad = good;
    bad.parent = 2;
    expect_not_opened(bad, "a derived one with a CA of its own");
    expect_signed(&client);
    cr_assert_eq(peer_status(&ours).total, 2);
}

/* BoringSSL makes a curve when it first meets it, and keeps it: what a CA is pinned with must not be the first. */
Test(foreign_process, no_kind_of_key_makes_it_keep_more)
{
    static const enum pki_kind kinds[] = {PKI_P224, PKI_P521, PKI_RSA1024};
    struct pki_spec spec = {
        .subject = "CA", .issuer = "CA", .not_before = 1, .not_after = 2, .constraints = "critical,CA:TRUE"};
    const uint64_t before = peer_status(&ours).secret_bytes;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        spec.key = spec.signer = pki_key(kinds[i]);
        expect_not_opened((struct keyd_grant){.grant = 7,
                                              .purpose = PURPOSE_TLS_CLIENT,
                                              .lifetime_s = 60,
                                              .server = "localhost",
                                              .ca = pki_issue(&spec)},
                          "such a key");
        cr_assert_eq(peer_status(&ours).secret_bytes, before, "kind %d", (int)kinds[i]);
    }
}
