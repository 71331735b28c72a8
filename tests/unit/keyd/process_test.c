/* The program itself, sandbox and all, over real channels. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keyd/purpose.h"
#include "tests/unit/keyd/peer.h"
#include "tests/unit/keyd/verify.h"

static const struct bytes hash = {(const uint8_t *)"\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11"
                                                   "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11",
                                  32};

static void assert_refused(const struct msg *answer, enum refusal refusal)
{
    cr_assert_eq(answer->kind, MSG_REFUSAL, "%s", msg_kind_name(answer->kind));
    cr_assert_eq(answer->refusal, refusal, "refused: %s", refusal_text(answer->refusal));
}

static void assert_signed(const struct peer *peer, enum purpose_role role, const struct msg *answer)
{
    cr_assert_eq(answer->kind, MSG_SIGNATURE, "%s", msg_kind_name(answer->kind));
    uint8_t content[PURPOSE_TLS13_CONTENT];
    size_t len;
    purpose_tls13_content(content, &len, role, hash);
    const struct keyd_identity *identity = &peer->identity.keyd_identity;
    const struct bytes leaf = role == PURPOSE_ROLE_SERVER ? identity->server : identity->client;
    cr_assert(verify_signature(leaf, (struct bytes){content, len}, answer->signature));
}

static void assert_still_signs(struct peer *peer, const struct link *link)
{
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, 500);
    struct msg answer;
    cr_assert_eq(peer_ask(peer, link, &answer, &request), ERR_OK);
    assert_signed(peer, PURPOSE_ROLE_SERVER, &answer);
}

Test(process, sets_up_signs_and_stops)
{
    struct peer peer;
    peer_start(&peer);
    const struct keyd_identity *identity = &peer.identity.keyd_identity;
    cr_assert_eq(peer.identity.id, 1);
    cr_assert_eq(identity->num_certificates, 3);
    cr_assert_eq(verify_chain(identity->server, identity->ca, X509_PURPOSE_SSL_SERVER, "localhost"), X509_V_OK);
    cr_assert_eq(verify_chain(identity->client, identity->ca, X509_PURPOSE_SSL_CLIENT, NULL), X509_V_OK);

    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    assert_still_signs(&peer, &server);
    struct link client = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 60, 2);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_CLIENT, 7);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    assert_signed(&peer, PURPOSE_ROLE_CLIENT, &answer);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, 2);
    cr_assert_eq(event.what, GRANT_EVENT_SIGNED);
    cr_assert_eq(event.pid, (uint32_t)getpid());

    const struct keyd_status status = peer_status(&peer);
    cr_assert_eq(status.signatures, 2);
    cr_assert_eq(status.refusals, 0);
    cr_assert_eq(status.num_grants, 2);
    cr_assert_gt(status.secret_bytes, 0);
    cr_assert_lt(status.secret_bytes, LIMIT_SECRET_HEAP / 4);
    const int exit_status = peer_stop(&peer);
    cr_assert(WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 0, "%#x", (unsigned)exit_status);
}

Test(process, ends_with_the_broker)
{
    struct peer peer;
    peer_start(&peer);
    close(peer.broker.fd);
    int status;
    cr_assert_eq(waitpid(peer.pid, &status, 0), peer.pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x", (unsigned)status);
}

Test(process, exhausts_a_handle)
{
    struct peer peer;
    peer_start(&peer);
    struct link client = peer_grant(&peer, 9, PURPOSE_TLS_CLIENT, 60, 2);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_CLIENT, 7);
    struct msg answer;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
        cr_assert_eq(answer.kind, MSG_SIGNATURE);
        cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    }
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    assert_refused(&answer, REFUSAL_EXHAUSTED);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_REFUSED);
    cr_assert_eq(event.reason, REFUSAL_EXHAUSTED);
    const struct keyd_status status = peer_status(&peer);
    cr_assert_eq(status.grants[0].signatures, 2);
    cr_assert_eq(status.grants[0].refusals, 1);
    peer_stop(&peer);
}

Test(process, expires_a_handle)
{
    struct peer peer;
    peer_start(&peer);
    struct link client = peer_grant(&peer, 9, PURPOSE_TLS_CLIENT, 1, 0);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_CLIENT, 7);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    assert_refused(&answer, REFUSAL_EXPIRED);
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

Test(process, pins_a_handle_to_one_process)
{
    struct peer peer;
    peer_start(&peer);
    struct link handle = peer_grant(&peer, 3, PURPOSE_BROWSER_DIGEST, 0, 0);
    const struct msg sign = peer_sign_digest(1), pin = {.kind = MSG_PIN_HANDLE, .id = 2},
                     describe = {.kind = MSG_DESCRIBE_HANDLE, .id = 3};
    struct msg answer;

    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    assert_refused(&answer, REFUSAL_NOT_PINNED);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &describe), ERR_OK);
    assert_refused(&answer, REFUSAL_NOT_PINNED);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &pin), ERR_OK);
    cr_assert_eq(answer.kind, MSG_HANDLE_PINNED);

    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    cr_assert(verify_digest_signature(peer.identity.keyd_identity.client, hash, answer.signature));
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
    assert_refused(&answer, REFUSAL_WRONG_PROCESS);
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    cr_assert_eq(peer_status(&peer).grants[0].pinned_pid, (uint32_t)getpid());
    peer_stop(&peer);
}

/* The other way round: pinned by a child, the parent that made the descriptor has nothing. */
Test(process, pins_a_handle_elsewhere)
{
    struct peer peer;
    peer_start(&peer);
    struct link handle = peer_grant(&peer, 3, PURPOSE_BROWSER_DIGEST, 0, 0);
    const struct msg pin = {.kind = MSG_PIN_HANDLE, .id = 2}, sign = peer_sign_digest(1);
    cr_assert_eq(ask_in_child(&peer, &handle, &pin, MSG_HANDLE_PINNED, REFUSAL_NONE), 0);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &handle, &answer, &sign), ERR_OK);
    assert_refused(&answer, REFUSAL_WRONG_PROCESS);
    const struct keyd_event pinned = peer_event(&peer), refused = peer_event(&peer);
    cr_assert_eq(pinned.what, GRANT_EVENT_PINNED);
    cr_assert_neq(pinned.pid, (uint32_t)getpid());
    cr_assert_eq(refused.what, GRANT_EVENT_REFUSED);
    cr_assert_eq(refused.pid, (uint32_t)getpid());
    peer_stop(&peer);
}

/* A sender that the kernel does not name is nobody. */
Test(process, does_not_pin_to_nobody)
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
    assert_refused(&answer, REFUSAL_NOT_PINNED);
    peer_stop(&peer);
}

Test(process, revokes_at_once)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link other = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    assert_still_signs(&peer, &server);
    peer_revoke(&peer, 1);
    peer_revoke(&peer, 12345); /* no such grant: nothing happens */
    cr_assert_eq(peer_status(&peer).num_grants, 1);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, 5);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &server, &answer, &request), ERR_CLOSED);
    assert_still_signs(&peer, &other);
    peer_stop(&peer);
}

/* Sends raw bytes and returns how the channel answers. */
static enum err send_raw(struct peer *peer, const struct link *link, const void *data, size_t len, struct msg *answer)
{
    cr_assert_eq(channel_send(link->fd, data, len, NULL, 0), ERR_OK);
    cr_assert_eq(channel_wait(link->fd, PEER_TIMEOUT_MS), ERR_OK);
    struct packet_extra extra;
    return link_recv(link, answer, &extra, peer->arena);
}

static void assert_cut(struct peer *peer, const struct link *link, uint64_t grant, enum refusal reason)
{
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(channel_wait(link->fd, PEER_TIMEOUT_MS), ERR_OK);
    cr_assert_eq(link_recv(link, &answer, &extra, peer->arena), ERR_CLOSED);
    const struct keyd_event event = peer_event(peer);
    cr_assert_eq(event.grant, grant);
    cr_assert_eq(event.what, GRANT_EVENT_CUT, "event %d", event.what);
    cr_assert_eq(event.reason, reason);
}

Test(process, cuts_only_the_sender_of_garbage)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    static uint8_t large[LIMIT_SIGN_PACKET + 1];
    memset(large, 0x41, sizeof(large));
    const struct {
        const void *data;
        size_t len;
    } packets[] = {
        {"\xff\xff\xff\xff", 4},                 /* no protocol buffer */
        {"\x08\x05", 2},                         /* an id and no body */
        {"\x52\x00", 2},                         /* SIGN_TLS13_SERVER without a hash */
        {"\x52\x04\x08\x83\x08\x12", 6},         /* cut short */
        {"\x52\x06\x08\x83\x08\x12\x01\x11", 8}, /* a hash of one byte */
        {"\xa2\x1f\x01x", 4},                    /* a field that nobody knows */
        {large, sizeof(large)},                  /* over the limit */
    };
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        struct link bad = peer_grant(&peer, 10 + i, PURPOSE_TLS_SERVER, 0, 0);
        struct msg answer;
        cr_assert_eq(send_raw(&peer, &bad, packets[i].data, packets[i].len, &answer), ERR_OK, "packet %zu", i);
        assert_refused(&answer, REFUSAL_MALFORMED);
        assert_cut(&peer, &bad, 10 + i, REFUSAL_MALFORMED);
        assert_still_signs(&peer, &good);
        close(bad.fd);
    }
    cr_assert_eq(peer_status(&peer).num_grants, 1);
    peer_stop(&peer);
}

/* A well-formed request that this channel has no business with. */
Test(process, cuts_the_wrong_kind)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link bad = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    const struct link disguised = {.fd = bad.fd, .role = LINK_SIGN_BROWSER, .end = LINK_LOWER};
    const struct msg request = peer_sign_digest(8);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &disguised, &answer, &request), ERR_OK);
    assert_refused(&answer, REFUSAL_PURPOSE);
    assert_cut(&peer, &bad, 2, REFUSAL_PURPOSE);
    assert_still_signs(&peer, &good);
    peer_stop(&peer);
}

/* Descriptors come from the broker alone. */
Test(process, cuts_who_sends_a_descriptor)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link bad = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    uint8_t packet[LIMIT_SIGN_PACKET];
    size_t len;
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, 8);
    cr_assert_eq(codec_encode(packet, &len, sizeof(packet), &request), ERR_OK);
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(channel_send(bad.fd, packet, len, &fds[1], 1), ERR_OK);
    cr_assert_eq(channel_wait(bad.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(&bad, &answer, &extra, peer.arena), ERR_OK);
    assert_refused(&answer, REFUSAL_MALFORMED);
    assert_cut(&peer, &bad, 2, REFUSAL_MALFORMED);
    assert_still_signs(&peer, &good);
    /* keyd did not keep it: with our own end closed nobody holds the pipe's writing end. */
    close(fds[1]);
    char byte;
    cr_assert_eq(read(fds[0], &byte, 1), 0);
    peer_stop(&peer);
}

/* One that asks and never listens is left alone with its full queue; it does not hold up another, and gets all its
 * answers in order when it reads at last. */
Test(process, a_deaf_flood_starves_nobody)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link flood = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    uint64_t sent = 0;
    for (unsigned quiet = 0; quiet < 20;) {
        const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, sent + 1);
        enum err err = link_send(&flood, &request, NULL, 0);
        if (err == ERR_OK) {
            sent++;
            quiet = 0;
            continue;
        }
        cr_assert_eq(err, ERR_AGAIN);
        assert_still_signs(&peer, &good);
        quiet++;
    }
    cr_assert_gt(sent, 100);
    for (uint64_t id = 1; id <= sent; id++) {
        struct msg answer;
        struct packet_extra extra;
        enum err err;
        while ((err = link_recv(&flood, &answer, &extra, peer.arena)) == ERR_AGAIN)
            cr_assert_eq(channel_wait(flood.fd, PEER_TIMEOUT_MS), ERR_OK, "answer %llu of %llu", (unsigned long long)id,
                         (unsigned long long)sent);
        cr_assert_eq(err, ERR_OK);
        cr_assert_eq(answer.kind, MSG_SIGNATURE);
        cr_assert_eq(answer.id, id);
    }
    assert_still_signs(&peer, &good);
    peer_stop(&peer);
}

/* The holder of a deaf channel dies: its slot comes back. */
Test(process, a_deaf_channel_can_end)
{
    struct peer peer;
    peer_start(&peer);
    struct link flood = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, 1);
    for (unsigned full = 0; full < 10;) {
        if (link_send(&flood, &request, NULL, 0) == ERR_OK) continue;
        full++;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    close(flood.fd);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, 2);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(peer_status(&peer).num_grants, 0);
    peer_stop(&peer);
}

/* A handle's every use has to be on record: with a broker that does not read, handles are refused in the end, the
 * server's key goes on signing, and all that was signed was reported. */
Test(process, a_deaf_broker_stops_handles_only)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link client = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 0, 0);
    uint64_t signatures = 0;
    struct msg answer;
    for (;;) {
        const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_CLIENT, signatures + 1);
        cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
        if (answer.kind != MSG_SIGNATURE) break;
        signatures++;
        cr_assert_lt(signatures, 100000);
    }
    assert_refused(&answer, REFUSAL_BUSY);
    assert_still_signs(&peer, &server);
    for (uint64_t i = 0; i < signatures; i++) cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_CLIENT, 1);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    peer_stop(&peer);
}

/* The sandbox is on in the program itself, not only in the policy's own test. */
Test(process, has_its_sandbox_on)
{
    struct peer peer;
    peer_start(&peer);
    char path[64], text[4096] = "";
    snprintf(path, sizeof(path), "/proc/%d/status", (int)peer.pid);
    FILE *status = fopen(path, "r");
    cr_assert_neq(status, NULL);
    cr_assert_gt(fread(text, 1, sizeof(text) - 1, status), 0);
    fclose(status);
    cr_assert_neq(strstr(text, "\nNoNewPrivs:\t1\n"), NULL);
    cr_assert_neq(strstr(text, "\nSeccomp:\t2\n"), NULL);
    cr_assert_neq(strstr(text, "\nCapBnd:\t0000000000000000\n"), NULL);
    cr_assert_neq(strstr(text, "\nThreads:\t1\n"), NULL);
    peer_stop(&peer);
}

static void pause_keyd(const struct peer *peer)
{
    int status;
    cr_assert_eq(kill(peer->pid, SIGSTOP), 0);
    cr_assert_eq(waitpid(peer->pid, &status, WUNTRACED), peer->pid);
    cr_assert(WIFSTOPPED(status));
}

/* In which order two things reach a keyd that is not looking. */
enum order { ORDER_FIRST, ORDER_SECOND };

/* Requests that wait when their channel is revoked are not answered any more, whichever came first. */
static void revoke_and_ask(enum order request_order)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    assert_still_signs(&peer, &server);
    cr_assert_eq(peer_status(&peer).signatures, 1); /* it is done with that channel for now */
    pause_keyd(&peer);
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, 5);
    if (request_order == ORDER_SECOND) peer_revoke(&peer, 1);
    cr_assert_eq(link_send(&server, &request, NULL, 0), ERR_OK);
    if (request_order == ORDER_FIRST) peer_revoke(&peer, 1);
    cr_assert_eq(kill(peer.pid, SIGCONT), 0);
    cr_assert_eq(channel_wait(server.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(&server, &answer, &extra, peer.arena), ERR_CLOSED);
    cr_assert_eq(peer_status(&peer).signatures, 1);
    peer_stop(&peer);
}

Test(process, a_revocation_goes_before_what_waits)
{
    revoke_and_ask(ORDER_FIRST);
    revoke_and_ask(ORDER_SECOND);
}

/* How many of a flood's requests were answered before a single one on another channel. */
static unsigned overtaken_by(struct peer *peer, const struct link *flood, const struct link *good,
                             enum order good_order)
{
    const struct msg request = peer_sign_tls13(MSG_SIGN_TLS13_SERVER, 1);
    unsigned sent = 0, answered = 0;
    cr_assert_eq(peer_status(peer).num_grants, 2); /* it is done with both channels for now */
    pause_keyd(peer);
    if (good_order == ORDER_FIRST) cr_assert_eq(link_send(good, &request, NULL, 0), ERR_OK);
    while (link_send(flood, &request, NULL, 0) == ERR_OK) sent++;
    cr_assert_gt(sent, 100);
    if (good_order == ORDER_SECOND) cr_assert_eq(link_send(good, &request, NULL, 0), ERR_OK);
    cr_assert_eq(kill(peer->pid, SIGCONT), 0);
    cr_assert_eq(channel_wait(good->fd, PEER_TIMEOUT_MS), ERR_OK);
    pause_keyd(peer);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(good, &answer, &extra, peer->arena), ERR_OK);
    while (link_recv(flood, &answer, &extra, peer->arena) == ERR_OK) answered++;
    cr_assert_eq(kill(peer->pid, SIGCONT), 0);
    for (unsigned left = sent - answered; left > 0; left--) {
        cr_assert_eq(channel_wait(flood->fd, PEER_TIMEOUT_MS), ERR_OK);
        cr_assert_eq(link_recv(flood, &answer, &extra, peer->arena), ERR_OK);
    }
    return answered;
}

/* This may be a slow machine, so that keyd has done more by the time we look; once in a few times it has not. */
Test(process, a_full_queue_is_not_served_in_one_go)
{
    struct peer peer;
    peer_start(&peer);
    struct link flood = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link good = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    assert_still_signs(&peer, &flood);
    assert_still_signs(&peer, &good);
    for (enum order order = ORDER_FIRST; order <= ORDER_SECOND; order++) {
        unsigned fewest = 1000;
        for (int i = 0; i < 10 && fewest > 50; i++) {
            const unsigned overtaken = overtaken_by(&peer, &flood, &good, order);
            if (overtaken < fewest) fewest = overtaken;
        }
        cr_assert_leq(fewest, 50, "order %d", (int)order);
    }
    peer_stop(&peer);
}

Test(process, refuses_a_name_that_is_taken)
{
    struct peer peer;
    peer_start(&peer);
    struct link first = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link second = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(event.reason, REFUSAL_PARAMETERS);
    cr_assert_eq(channel_wait(second.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(&second, &answer, &extra, peer.arena), ERR_CLOSED);
    assert_still_signs(&peer, &first);
    peer_stop(&peer);
}

Test(process, holds_as_many_channels_as_it_says)
{
    struct peer peer;
    peer_start(&peer);
    struct link last = {0};
    for (uint64_t grant = 1; grant <= LIMIT_GRANTS; grant++) {
        const struct link link = peer_grant(&peer, grant, PURPOSE_TLS_SERVER, 0, 0);
        if (grant % 100 == 0) cr_assert_eq(peer_status(&peer).num_grants, grant);
        if (grant == LIMIT_GRANTS)
            last = link;
        else
            cr_assert_geq(link.fd, 0);
    }
    cr_assert_eq(peer_status(&peer).num_grants, LIMIT_GRANTS);
    assert_still_signs(&peer, &last);
    (void)peer_grant(&peer, LIMIT_GRANTS + 1, PURPOSE_TLS_SERVER, 0, 0);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, LIMIT_GRANTS + 1);
    cr_assert_eq(event.reason, REFUSAL_BUSY);
    peer_revoke(&peer, 5);
    const struct link again = peer_grant(&peer, LIMIT_GRANTS + 1, PURPOSE_TLS_SERVER, 0, 0);
    assert_still_signs(&peer, &again);
    peer_stop(&peer);
}

static int wait_exit(const struct peer *peer)
{
    int status;
    cr_assert_eq(waitpid(peer->pid, &status, 0), peer->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(process, grants_nothing_before_it_has_keys)
{
    struct peer peer;
    peer_spawn(&peer, PEER_KEYD);
    (void)peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    cr_assert_eq(wait_exit(&peer), EXIT_SYSTEM);
}

Test(process, makes_keys_only_once)
{
    struct peer peer;
    peer_start(&peer);
    struct msg setup = {.kind = MSG_KEYD_SETUP, .id = 2};
    setup.keyd_setup = (struct keyd_setup){
        .dns_names = {"localhost"}, .num_dns_names = 1, .ca_lifetime_s = 60, .leaf_lifetime_s = 60, .client_name = "x"};
    cr_assert_eq(link_send(&peer.broker, &setup, NULL, 0), ERR_OK);
    cr_assert_eq(wait_exit(&peer), EXIT_SYSTEM);
}

Test(process, says_what_is_wrong_with_a_name)
{
    struct peer peer;
    peer_spawn(&peer, PEER_KEYD);
    struct msg setup = {.kind = MSG_KEYD_SETUP, .id = 2}, answer;
    setup.keyd_setup = (struct keyd_setup){.dns_names = {"*.example.com"},
                                           .num_dns_names = 1,
                                           .ca_lifetime_s = 60,
                                           .leaf_lifetime_s = 60,
                                           .client_name = "x"};
    cr_assert_eq(link_send(&peer.broker, &setup, NULL, 0), ERR_OK);
    cr_assert_eq(channel_wait(peer.broker.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct packet_extra extra;
    cr_assert_eq(link_recv(&peer.broker, &answer, &extra, peer.arena), ERR_OK);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_INPUT);
    cr_assert_neq(strstr(answer.failed.text, "'*.example.com'"), NULL, "%s", answer.failed.text);
    cr_assert_eq(wait_exit(&peer), EXIT_INPUT);
}

Test(process, takes_no_arguments)
{
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execl(PEER_KEYD, PEER_KEYD, "--help", (char *)NULL);
        _exit(1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_INPUT);
}
