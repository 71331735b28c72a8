/* Handles of the running program: how often, how long, and by which process. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"

static struct shake shake;

Test(handle, exhausts_a_handle)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 8, PURPOSE_TLS_SERVER, 0, 0);
    struct link client = peer_grant(&peer, 9, PURPOSE_TLS_CLIENT, 60, 2);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    const struct msg request = peer_sign_tls13_client(&shake, 7);
    struct msg answer;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
        cr_assert_eq(answer.kind, MSG_SIGNATURE);
        cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    }
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_EXHAUSTED);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_REFUSED);
    cr_assert_eq(event.reason, REFUSAL_EXHAUSTED);
    const struct keyd_status status = peer_status(&peer);
    cr_assert_eq(status.total, 2);
    cr_assert_eq(status.num_grants, 1, "a handle's uses are events");
    cr_assert_eq(status.grants[0].grant, 8);
    cr_assert_eq(status.grants[0].signatures, 1);
    peer_stop(&peer);
}

Test(handle, expires_a_handle)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 8, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    struct link client = peer_grant(&peer, 9, PURPOSE_TLS_CLIENT, 1, 0);
    const struct msg request = peer_sign_tls13_client(&shake, 7);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_EXPIRED);
    peer_stop(&peer);
}

/* In a child: 0 if the request is answered with this, 1 if not. */
static int ask_in_child(struct peer *peer, const struct link *link, const struct msg *request, enum msg_kind kind,
                        enum refusal refusal)
{
    pid_t child = fork();
    if (child == 0) {
        struct msg answer;
        struct packet_extra extra;
        const bool good = link_call(link, &answer, &extra, peer->arena, request, NULL, 0, PEER_TIMEOUT_MS) == ERR_OK &&
                          answer.kind == kind && (kind != MSG_REFUSAL || answer.refusal == refusal);
        _exit(!good);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(handle, pins_a_handle_to_one_process)
{
    struct peer peer;
    peer_start(&peer);
    struct link handle = peer_grant(&peer, 3, PURPOSE_BROWSER_DIGEST, 0, 0);
    struct link server = peer_grant(&peer, 4, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    peer_expect(&server, &shake);
    const struct msg sign = peer_sign_digest(&shake, 1), pin = {.kind = MSG_PIN_HANDLE, .id = 2},
                     describe = {.kind = MSG_DESCRIBE_HANDLE, .id = 3};
    struct msg answer;

    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_NOT_PINNED);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &describe), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_NOT_PINNED);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &pin), ERR_OK);
    cr_assert_eq(answer.kind, MSG_HANDLE_PINNED);

    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &describe), ERR_OK);
    cr_assert_eq(answer.kind, MSG_HANDLE_DESCRIPTION);
    cr_assert_str_eq(answer.handle_description.label, "test");
    cr_assert(bytes_equal(answer.handle_description.leaf, peer.identity.keyd_identity.client));
    cr_assert(bytes_equal(answer.handle_description.issuer, peer.identity.keyd_identity.ca));

    /* The descriptor alone is not enough: a child has it too. */
    cr_assert_eq(ask_in_child(&peer, &handle, &sign, MSG_REFUSAL, REFUSAL_WRONG_PROCESS), 0);
    cr_assert_eq(ask_in_child(&peer, &handle, &describe, MSG_REFUSAL, REFUSAL_WRONG_PROCESS), 0);
    cr_assert_eq(ask_in_child(&peer, &handle, &pin, MSG_REFUSAL, REFUSAL_WRONG_PROCESS), 0);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &pin), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_WRONG_PROCESS);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    peer_expect(&server, &shake);
    const struct msg again = peer_sign_digest(&shake, 4);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &again), ERR_OK);
    peer_assert_client_signed(&peer, &shake, &answer);
    peer_stop(&peer);
}

/* The other way round: pinned by a child, the parent that made the descriptor has nothing. */
Test(handle, pins_a_handle_elsewhere)
{
    struct peer peer;
    peer_start(&peer);
    struct link handle = peer_grant(&peer, 3, PURPOSE_BROWSER_DIGEST, 0, 0);
    const struct msg pin = {.kind = MSG_PIN_HANDLE, .id = 2}, sign = peer_sign_digest(&shake, 1);
    cr_assert_eq(ask_in_child(&peer, &handle, &pin, MSG_HANDLE_PINNED, REFUSAL_NONE), 0);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_WRONG_PROCESS);
    const struct keyd_event pinned = peer_event(&peer), refused = peer_event(&peer);
    cr_assert_eq(pinned.what, GRANT_EVENT_PINNED);
    cr_assert_neq(pinned.pid, (uint32_t)getpid());
    cr_assert_eq(refused.what, GRANT_EVENT_REFUSED);
    cr_assert_eq(refused.pid, (uint32_t)getpid());
    peer_stop(&peer);
}

/* A sender that the kernel does not name is nobody. */
Test(handle, does_not_pin_to_nobody)
{
    struct peer peer;
    peer_start(&peer);
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    struct link handle = {.fd = ends[0], .role = LINK_SIGN_BROWSER, .end = LINK_LOWER};
    const struct msg pin = {.kind = MSG_PIN_HANDLE, .id = 2};
    cr_assert_eq(link_send(&handle, &pin, NULL, 0), ERR_OK); /* before anyone asked the kernel for names */
    struct msg grant = {.kind = MSG_KEYD_GRANT};
    grant.keyd_grant = (struct keyd_grant){.grant = 4, .purpose = PURPOSE_BROWSER_DIGEST, .label = ""};
    cr_assert_eq(link_send(&peer.broker, &grant, &ends[1], 1), ERR_OK);
    close(ends[1]);
    cr_assert_eq(channel_wait(handle.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(&handle, &answer, &extra, peer.arena), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_NOT_PINNED);
    peer_stop(&peer);
}
