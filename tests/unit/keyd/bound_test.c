/* Client signatures of the running program: each is of a handshake with its own server, or there is none. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"

static struct peer peer;
static struct link server, handle;
static struct shake shake;
static struct msg answer;

static void setup(void)
{
    const struct msg pin = {.kind = MSG_PIN_HANDLE, .id = 2};
    peer_start(&peer);
    server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    handle = peer_grant(&peer, 2, PURPOSE_BROWSER_DIGEST, 0, 0);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &pin), ERR_OK);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_PINNED);
}

static void teardown(void)
{
    peer_stop(&peer);
}

TestSuite(bound, .init = setup, .fini = teardown);

static void ask_digest(void)
{
    const struct msg request = peer_sign_digest(&shake, 9);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &request), ERR_OK);
}

static void expect_signed(void)
{
    struct pollfd told = {.fd = server.fd, .events = POLLIN};
    ask_digest();
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(poll(&told, 1, 0), 1, "the server knows before the client has its signature");
    cr_assert_eq(peer_bound(&peer, &server), 2);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_SIGNED);
    cr_assert_eq(event.grant, 2);
}

static void expect_unexpected(void)
{
    ask_digest();
    peer_assert_refused(&answer, REFUSAL_UNEXPECTED);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_REFUSED);
    cr_assert_eq(event.reason, REFUSAL_UNEXPECTED);
    cr_assert_eq(event.grant, 2);
    cr_assert_eq(event.pid, (uint32_t)getpid());
}

Test(bound, signs_for_each_kind_of_handshake_once)
{
    for (size_t i = 0; i < shake_num_kinds; i++) {
        peer_shake(&peer, &shake, &server, &shake_kinds[i]);
        expect_unexpected();
        peer_expect(&server, &shake);
        expect_signed();
        expect_unexpected();
    }
}

Test(bound, a_digest_of_its_own_making_is_refused)
{
    memset(shake.digest, 0x11, sizeof(shake.digest));
    expect_unexpected();
    memset(shake.digest, 0, sizeof(shake.digest));
    expect_unexpected();
}

static void expect_refusal(const struct link *link, enum refusal refusal)
{
    struct packet_extra extra;
    peer_expect(link, &shake);
    cr_assert_eq(channel_wait(link->fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(link, &answer, &extra, peer.arena), ERR_OK);
    peer_assert_refused(&answer, refusal);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_REFUSED);
    cr_assert_eq(event.reason, refusal);
}

/* Refused is not cut: a server may be told nonsense by its client. */
Test(bound, a_lie_creates_nothing_and_costs_nothing)
{
    struct link other = peer_grant(&peer, 3, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    expect_refusal(&other, REFUSAL_SERVER); /* it was not signed for that one */
    shake.server_len--;
    expect_refusal(&server, REFUSAL_TRANSCRIPT);
    expect_unexpected();
    shake.server_len++;
    peer_expect(&server, &shake);
    expect_signed();
    expect_refusal(&server, REFUSAL_SERVER); /* told twice */
    expect_unexpected();
    peer_assert_signs(&peer, &other);
    peer_assert_signs(&peer, &server);
}

/* With the web worker go the handshakes that nobody will finish. */
Test(bound, expectations_end_with_their_channel)
{
    struct link other = peer_grant(&peer, 3, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &other, &shake_kinds[0]);
    peer_expect(&other, &shake);
    peer_assert_signs(&peer, &other); /* it has been read */
    peer_revoke(&peer, 3);
    cr_assert_eq(peer_status(&peer).total, 2);
    expect_unexpected();
}

static void pause_keyd(void)
{
    int status;
    cr_assert_eq(kill(peer.pid, SIGSTOP), 0);
    cr_assert_eq(waitpid(peer.pid, &status, WUNTRACED), peer.pid);
    cr_assert(WIFSTOPPED(status));
}

/* Receives answers on the handle up to the one with this id. */
static void await_answer(uint64_t id)
{
    struct packet_extra extra;
    do {
        cr_assert_eq(channel_wait(handle.fd, PEER_TIMEOUT_MS), ERR_OK);
        cr_assert_eq(link_recv(&handle, &answer, &extra, peer.arena), ERR_OK);
    } while (answer.id != id);
}

/* The server's word was sent first, but keyd comes to the browser's channel first, as something waits there already. */
static void browser_before_server(unsigned num_ahead)
{
    const struct msg describe = {.kind = MSG_DESCRIBE_HANDLE, .id = 5}, sign = peer_sign_tls13_server(6);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    const struct msg request = peer_sign_digest(&shake, 9);
    cr_assert_eq(peer_status(&peer).total, 2); /* it is done with both channels for now */
    pause_keyd();
    cr_assert_eq(link_send(&handle, &describe, NULL, 0), ERR_OK);
    for (unsigned i = 0; i < num_ahead; i++) cr_assert_eq(link_send(&server, &sign, NULL, 0), ERR_OK);
    peer_expect(&server, &shake);
    cr_assert_eq(link_send(&handle, &request, NULL, 0), ERR_OK);
    cr_assert_eq(kill(peer.pid, SIGCONT), 0);
    await_answer(9);
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    struct packet_extra extra;
    for (unsigned i = 0; i < num_ahead; i++) {
        cr_assert_eq(channel_wait(server.fd, PEER_TIMEOUT_MS), ERR_OK);
        cr_assert_eq(link_recv(&server, &answer, &extra, peer.arena), ERR_OK);
        cr_assert_eq(answer.kind, MSG_SIGNATURE);
    }
    cr_assert_eq(peer_bound(&peer, &server), 2);
}

Test(bound, a_browser_that_is_read_first_does_not_come_too_early)
{
    for (unsigned i = 0; i < 5; i++) browser_before_server(20 * i);
}

/* Who guesses makes keyd read what servers sent, which is what it would have done next anyway. */
Test(bound, a_guesser_starves_nobody)
{
    memset(shake.digest, 0x11, sizeof(shake.digest));
    const struct msg guess = peer_sign_digest(&shake, 8), sign = peer_sign_tls13_server(6);
    unsigned sent = 0, answered = 0;
    struct packet_extra extra;
    cr_assert_eq(peer_status(&peer).total, 2);
    pause_keyd();
    while (sent < 60 && link_send(&handle, &guess, NULL, 0) == ERR_OK) sent++;
    cr_assert_eq(link_send(&server, &sign, NULL, 0), ERR_OK);
    cr_assert_eq(kill(peer.pid, SIGCONT), 0);
    cr_assert_eq(channel_wait(server.fd, PEER_TIMEOUT_MS), ERR_OK);
    pause_keyd();
    while (link_recv(&handle, &answer, &extra, peer.arena) == ERR_OK) answered++;
    cr_assert_eq(kill(peer.pid, SIGCONT), 0);
    cr_assert_eq(sent, 60);
    cr_assert_leq(answered, 60);
    peer_assert_signs(&peer, &server);
}

Test(bound, signs_for_a_client_that_shows_its_handshake)
{
    struct link client = peer_grant(&peer, 3, PURPOSE_TLS_CLIENT, 60, 0);
    for (size_t i = 0; i < shake_num_kinds; i++) {
        peer_shake(&peer, &shake, &server, &shake_kinds[i]);
        const struct msg request = peer_sign_tls13_client(&shake, 4);
        cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
        peer_assert_client_signed(&peer, &shake, &answer);
        cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    }
    shake.client_messages[shake.client_len - 1] ^= 1;
    const struct msg request = peer_sign_tls13_client(&shake, 4);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_TRANSCRIPT);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_TRANSCRIPT);
}

Test(bound, tells_the_server_of_a_client_that_shows_its_handshake)
{
    struct link client = peer_grant(&peer, 3, PURPOSE_TLS_CLIENT, 60, 0);
    for (size_t i = 0; i < shake_num_kinds; i++) {
        peer_shake(&peer, &shake, &server, &shake_kinds[i]);
        const struct msg request = peer_sign_tls13_client(&shake, 4);
        peer_expect(&server, &shake);
        cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
        peer_assert_client_signed(&peer, &shake, &answer);
        cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
        cr_assert_eq(peer_bound(&peer, &server), 3);
        expect_unexpected();
    }
}

Test(bound, signs_for_a_gateway_that_is_pinned_what_it_shows_and_a_server_expects)
{
    const struct msg pin = {.kind = MSG_PIN_HANDLE, .id = 2};
    struct link gateway = peer_grant(&peer, 3, PURPOSE_GATEWAY, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    const struct msg request = peer_sign_tls13_client(&shake, 4);
    peer_expect(&server, &shake);
    cr_assert_eq(peer_ask(&peer, &gateway, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_NOT_PINNED);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_NOT_PINNED);
    cr_assert_eq(peer_ask(&peer, &gateway, &answer, &pin), ERR_OK);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_PINNED);
    cr_assert_eq(peer_ask(&peer, &gateway, &answer, &request), ERR_OK);
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    cr_assert_eq(peer_bound(&peer, &server), 3);
    /* The same once more, or a handshake that the server kept to itself. */
    cr_assert_eq(peer_ask(&peer, &gateway, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_UNEXPECTED);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_UNEXPECTED);
}

/* As deep as it goes: the nearest first. */
Test(bound, tells_the_server_what_the_handle_was_derived_from)
{
    struct link handles[1 + LIMIT_GRANT_DEPTH];
    handles[0] = peer_grant(&peer, 10, PURPOSE_TLS_CLIENT, 60, 0);
    for (unsigned i = 1; i <= LIMIT_GRANT_DEPTH; i++) {
        const struct keyd_grant part = {
            .grant = 10 + i, .purpose = PURPOSE_TLS_CLIENT, .label = "part", .parent = 10 + i - 1};
        handles[i] = peer_grant_terms(&peer, &part);
        cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_OPENED);
    }
    for (unsigned i = 0; i <= LIMIT_GRANT_DEPTH; i++) {
        peer_shake(&peer, &shake, &server, &shake_kinds[0]);
        const struct msg request = peer_sign_tls13_client(&shake, 4);
        peer_expect(&server, &shake);
        cr_assert_eq(peer_ask(&peer, &handles[i], &answer, &request), ERR_OK);
        peer_assert_client_signed(&peer, &shake, &answer);
        cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
        const struct client_bound told = peer_bound_family(&peer, &server);
        cr_assert_eq(told.handle, 10 + i);
        cr_assert_eq(told.num_above, i);
        for (unsigned j = 0; j < i; j++) cr_assert_eq(told.above[j], 10 + i - 1 - j);
    }
}

/* The same for a transcript, whose messages must not be overwritten by what is read meanwhile. */
Test(bound, a_client_that_is_read_first_does_not_come_too_early)
{
    struct link client = peer_grant(&peer, 3, PURPOSE_TLS_CLIENT, 60, 0);
    const struct msg sign = peer_sign_tls13_server(6);
    struct packet_extra extra;
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    const struct msg request = peer_sign_tls13_client(&shake, 9);
    cr_assert_eq(peer_status(&peer).total, 3);
    pause_keyd();
    cr_assert_eq(link_send(&client, &request, NULL, 0), ERR_OK);
    cr_assert_eq(link_send(&server, &sign, NULL, 0), ERR_OK);
    peer_expect(&server, &shake);
    cr_assert_eq(kill(peer.pid, SIGCONT), 0);
    cr_assert_eq(channel_wait(client.fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(&client, &answer, &extra, peer.arena), ERR_OK);
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(link_recv(&server, &answer, &extra, peer.arena), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    cr_assert_eq(peer_bound(&peer, &server), 3);
}

/* A server that does not read is not waited for, and nothing is signed of which it does not know. */
Test(bound, signs_nothing_while_the_server_cannot_be_told)
{
    const struct msg sign = peer_sign_tls13_server(6);
    struct packet_extra extra;
    struct link other = peer_grant(&peer, 3, PURPOSE_TLS_SERVER, 0, 0);
    unsigned answers = 0;
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    peer_expect(&server, &shake);
    /* Until it has stopped to read: two turns of its loop, in which another server is served, bring no more answers. */
    for (uint64_t before = 0, after = 1; after != before + 2;) {
        while (link_send(&server, &sign, NULL, 0) == ERR_OK) continue;
        before = peer_status(&peer).signatures;
        peer_assert_signs(&peer, &other);
        peer_assert_signs(&peer, &other);
        after = peer_status(&peer).signatures;
    }
    ask_digest();
    peer_assert_refused(&answer, REFUSAL_BUSY);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_BUSY);
    ask_digest();
    peer_assert_refused(&answer, REFUSAL_BUSY);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_BUSY);
    while (link_recv(&server, &answer, &extra, peer.arena) == ERR_OK) answers++;
    cr_assert_gt(answers, 0);
}

/* The client key of one keyd is of no use with the server of another: that is another Keyward. */
Test(bound, refuses_another_systems_server)
{
    struct peer other;
    peer_start(&other);
    struct link other_server = peer_grant(&other, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link client = peer_grant(&peer, 3, PURPOSE_TLS_CLIENT, 60, 0);
    peer_shake(&other, &shake, &other_server, &shake_kinds[0]);
    const struct msg request = peer_sign_tls13_client(&shake, 4);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_SERVER);
    cr_assert_eq(peer_event(&peer).reason, REFUSAL_SERVER);
    expect_refusal(&server, REFUSAL_SERVER);
    expect_unexpected();
    peer_stop(&other);
}
