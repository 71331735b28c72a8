/* Handles of the running program that are derived from others, and handles for one process. */
#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"

static struct peer peer;
static struct shake shake;
static struct link server;

static void set_up(void)
{
    peer_start(&peer);
    server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
}

static void tear_down(void)
{
    cr_assert_eq(peer_stop(&peer), 0);
}

TestSuite(restrict, .init = set_up, .fini = tear_down);

static struct keyd_grant part_of(uint64_t parent, uint64_t number)
{
    return (struct keyd_grant){.grant = number, .purpose = PURPOSE_TLS_CLIENT, .label = "part", .parent = parent};
}

/* Derives a handle, of which keyd tells that it is open. */
static struct link derive(const struct keyd_grant *terms)
{
    const struct link link = peer_grant_terms(&peer, terms);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, terms->grant);
    cr_assert_eq(event.what, GRANT_EVENT_OPENED, "event %d: %s", (int)event.what, refusal_text(event.reason));
    return link;
}

static void assert_not_derived(const struct keyd_grant *terms, enum refusal reason)
{
    const struct link link = peer_grant_terms(&peer, terms);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, terms->grant);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(event.reason, reason, "%s", refusal_text(event.reason));
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(channel_wait(link.fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(&link, &answer, &extra, peer.arena), ERR_CLOSED);
    close(link.fd);
}

static enum refusal ask(const struct link *handle)
{
    const struct msg request = peer_sign_tls13_client(&shake, 5);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, handle, &answer, &request), ERR_OK);
    if (answer.kind == MSG_REFUSAL) {
        const enum refusal refusal = answer.refusal;
        const struct keyd_event event = peer_event(&peer);
        cr_assert_eq(event.what, GRANT_EVENT_REFUSED);
        cr_assert_eq(event.reason, refusal);
        return refusal;
    }
    peer_assert_client_signed(&peer, &shake, &answer);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    return REFUSAL_NONE;
}

static void assert_closed(const struct link *link)
{
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(channel_wait(link->fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(link, &answer, &extra, peer.arena), ERR_CLOSED);
}

static void assert_revoked(const struct link *link)
{
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(channel_wait(link->fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(link, &answer, &extra, peer.arena), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_REVOKED);
    assert_closed(link);
}

/* Its own end comes first, with the reason. */
static void expect_revoked(uint64_t grant)
{
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, grant);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(event.reason, REFUSAL_REVOKED);
}

/* Two halves of five are five. */
Test(restrict, children_together_do_what_the_parent_could)
{
    struct link parent = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 0, 5);
    const struct keyd_grant terms[2] = {part_of(2, 3), part_of(2, 4)};
    struct link children[2] = {derive(&terms[0]), derive(&terms[1])};
    for (int i = 0; i < 4; i++) cr_assert_eq(ask(&children[i % 2]), REFUSAL_NONE);
    cr_assert_eq(ask(&parent), REFUSAL_NONE);
    cr_assert_eq(ask(&children[0]), REFUSAL_EXHAUSTED);
    cr_assert_eq(ask(&children[1]), REFUSAL_EXHAUSTED);
    cr_assert_eq(ask(&parent), REFUSAL_EXHAUSTED);
}

Test(restrict, a_child_does_what_it_was_given)
{
    struct link parent = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 0, 5);
    struct keyd_grant terms = part_of(2, 3);
    terms.max_signatures = 2;
    struct link child = derive(&terms);
    cr_assert_eq(ask(&child), REFUSAL_NONE);
    cr_assert_eq(ask(&child), REFUSAL_NONE);
    cr_assert_eq(ask(&child), REFUSAL_EXHAUSTED);
    for (int i = 0; i < 3; i++) cr_assert_eq(ask(&parent), REFUSAL_NONE);
    cr_assert_eq(ask(&parent), REFUSAL_EXHAUSTED);
}

Test(restrict, is_never_stronger)
{
    struct link parent = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 3600, 5);
    struct keyd_grant terms = part_of(2, 3);
    terms.max_signatures = 6;
    assert_not_derived(&terms, REFUSAL_STRONGER);
    terms = part_of(2, 3);
    terms.server = "other.example";
    assert_not_derived(&terms, REFUSAL_STRONGER);
    terms = part_of(2, 3);
    terms.lifetime_s = 3700;
    assert_not_derived(&terms, REFUSAL_STRONGER);
    terms = part_of(2, 3);
    terms.purpose = PURPOSE_BROWSER_DIGEST;
    assert_not_derived(&terms, REFUSAL_STRONGER);
    terms = part_of(99, 3);
    assert_not_derived(&terms, REFUSAL_PARAMETERS);
    terms = part_of(1, 3);
    terms.purpose = PURPOSE_TLS_SERVER;
    assert_not_derived(&terms, REFUSAL_PURPOSE);
    terms = part_of(3, 3); /* from itself */
    assert_not_derived(&terms, REFUSAL_PARAMETERS);
    terms = part_of(2, 2);
    assert_not_derived(&terms, REFUSAL_PARAMETERS);
    cr_assert_eq(ask(&parent), REFUSAL_NONE);
    cr_assert_eq(peer_status(&peer).total, 2);
}

Test(restrict, goes_so_deep)
{
    struct link line[LIMIT_GRANT_DEPTH + 1];
    line[0] = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 0, 5);
    for (unsigned i = 1; i <= LIMIT_GRANT_DEPTH; i++) {
        const struct keyd_grant terms = part_of(1 + i, 2 + i);
        line[i] = derive(&terms);
    }
    const struct keyd_grant deeper = part_of(2 + LIMIT_GRANT_DEPTH, 3 + LIMIT_GRANT_DEPTH);
    assert_not_derived(&deeper, REFUSAL_PARAMETERS);
    for (int i = 0; i < 5; i++) cr_assert_eq(ask(&line[LIMIT_GRANT_DEPTH]), REFUSAL_NONE);
    cr_assert_eq(ask(&line[0]), REFUSAL_EXHAUSTED);
}

/* A family: 2 has 3 and 4, 3 has 5. 6 is a stranger. */
static void make_family(struct link family[7])
{
    const struct keyd_grant terms[] = {part_of(2, 3), part_of(2, 4), part_of(3, 5)};
    family[2] = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 0, 0);
    for (size_t i = 0; i < 3; i++) family[3 + i] = derive(&terms[i]);
    family[6] = peer_grant(&peer, 6, PURPOSE_TLS_CLIENT, 0, 0);
    cr_assert_eq(peer_status(&peer).total, 6);
}

/* Those that end with another one are told of, deepest first, in whatever order among siblings. */
static void expect_ends(unsigned num)
{
    for (unsigned i = 0; i < num; i++) cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_CLOSED);
}

Test(restrict, a_revoked_handle_takes_its_descendants_along)
{
    struct link family[7];
    make_family(family);
    peer_revoke(&peer, 2);
    expect_revoked(2);
    expect_ends(3);
    for (size_t i = 2; i <= 5; i++) assert_revoked(&family[i]);
    cr_assert_eq(ask(&family[6]), REFUSAL_NONE);
    cr_assert_eq(peer_status(&peer).total, 2);
}

Test(restrict, a_revoked_part_leaves_the_others)
{
    struct link family[7];
    make_family(family);
    peer_revoke(&peer, 3);
    expect_revoked(3);
    expect_ends(1);
    assert_revoked(&family[3]);
    assert_revoked(&family[5]);
    cr_assert_eq(ask(&family[2]), REFUSAL_NONE);
    cr_assert_eq(ask(&family[4]), REFUSAL_NONE);
    cr_assert_eq(peer_status(&peer).total, 4);
}

Test(restrict, a_closed_handle_takes_its_descendants_along)
{
    struct link family[7];
    make_family(family);
    close(family[2].fd);
    expect_ends(4);
    for (size_t i = 3; i <= 5; i++) assert_closed(&family[i]);
    cr_assert_eq(ask(&family[6]), REFUSAL_NONE);
}

Test(restrict, a_holder_that_is_cut_takes_its_descendants_along)
{
    struct link family[7];
    make_family(family);
    cr_assert_eq(channel_send(family[2].fd, (const uint8_t *)"x", 1, NULL, 0), ERR_OK);
    expect_ends(3);
    cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_CUT);
    for (size_t i = 3; i <= 5; i++) assert_closed(&family[i]);
}

/* ---- For one process alone -------------------------------------------------------------------------------------- */

/* What a child, which has every descriptor, is told. */
static int refusal_in_child(const struct link *handle)
{
    const pid_t child = fork();
    if (child == 0) {
        const struct msg request = peer_sign_tls13_client(&shake, 5);
        struct msg answer;
        struct packet_extra extra;
        if (link_call(handle, &answer, &extra, peer.arena, &request, NULL, 0, PEER_TIMEOUT_MS) != ERR_OK) _exit(100);
        _exit(answer.kind == MSG_REFUSAL ? (int)answer.refusal : 0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.pid, (uint32_t)child);
    return WEXITSTATUS(status);
}

static struct link grant_to(uint32_t pid)
{
    return peer_grant_terms(
        &peer, &(struct keyd_grant){
                   .grant = 2, .purpose = PURPOSE_TLS_CLIENT, .label = "mine", .server = "localhost", .pid = pid});
}

Test(restrict, a_pinned_handle_signs_for_its_process)
{
    struct link mine = grant_to((uint32_t)getpid());
    cr_assert_eq(ask(&mine), REFUSAL_NONE);
    cr_assert_eq(refusal_in_child(&mine), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(ask(&mine), REFUSAL_NONE);
}

Test(restrict, a_handle_that_is_not_pinned_signs_for_whoever_has_it)
{
    struct link anyones = grant_to(0);
    cr_assert_eq(refusal_in_child(&anyones), REFUSAL_NONE);
}

Test(restrict, a_handle_of_another_process_is_of_no_use)
{
    struct link others = grant_to((uint32_t)getppid());
    cr_assert_eq(ask(&others), REFUSAL_WRONG_PROCESS);
}

/* Passed on over a socket, the descriptor is worth nothing either. */
Test(restrict, a_pinned_handle_that_is_passed_on_signs_nothing)
{
    struct link mine = grant_to((uint32_t)getpid());
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const pid_t child = fork();
    if (child == 0) {
        uint8_t byte;
        size_t len;
        struct packet_extra extra;
        close(mine.fd);
        if (channel_wait(ends[1], PEER_TIMEOUT_MS) != ERR_OK ||
            channel_recv(ends[1], &byte, &len, &extra, 1, 1) != ERR_OK || extra.num_fds != 1)
            _exit(100);
        const struct link passed = {.fd = extra.fds[0], .role = LINK_SIGN_CLIENT, .end = LINK_LOWER};
        const struct msg request = peer_sign_tls13_client(&shake, 5);
        struct msg answer;
        if (link_call(&passed, &answer, &extra, peer.arena, &request, NULL, 0, PEER_TIMEOUT_MS) != ERR_OK) _exit(101);
        _exit(answer.kind == MSG_REFUSAL ? (int)answer.refusal : 0);
    }
    cr_assert_eq(channel_send(ends[0], (const uint8_t *)"x", 1, &mine.fd, 1), ERR_OK);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(WEXITSTATUS(status), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(peer_event(&peer).pid, (uint32_t)child);
    cr_assert_eq(ask(&mine), REFUSAL_NONE);
}

/* A part of it is its process's too, and cannot be made anybody else's. */
Test(restrict, a_part_of_a_pinned_handle_is_pinned)
{
    struct link mine = grant_to((uint32_t)getpid());
    struct keyd_grant terms = part_of(2, 3);
    struct link part = derive(&terms);
    cr_assert_eq(ask(&part), REFUSAL_NONE);
    cr_assert_eq(refusal_in_child(&part), REFUSAL_WRONG_PROCESS);
    terms = part_of(2, 4);
    terms.pid = (uint32_t)getppid();
    assert_not_derived(&terms, REFUSAL_STRONGER);
    cr_assert_eq(ask(&mine), REFUSAL_NONE);
}

Test(restrict, a_part_may_be_pinned_where_the_whole_is_not)
{
    struct link anyones = grant_to(0);
    struct keyd_grant terms = part_of(2, 3);
    terms.pid = (uint32_t)getpid();
    struct link part = derive(&terms);
    cr_assert_eq(ask(&part), REFUSAL_NONE);
    cr_assert_eq(refusal_in_child(&part), REFUSAL_WRONG_PROCESS);
    cr_assert_eq(refusal_in_child(&anyones), REFUSAL_NONE);
}
