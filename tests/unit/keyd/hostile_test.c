/* The running program among peers that send garbage, never listen, or ask without end. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"

static struct shake shake;

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

Test(hostile, cuts_only_the_sender_of_garbage)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    static uint8_t large[LIMIT_TRANSCRIPT_PACKET + 1];
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
        {"\xa2\x01\x00", 3},                     /* EXPECT_CLIENT without messages */
        {"\xa2\x01\x04\x0a\x01\x01\x00", 7},     /* one that goes on */
        {large, sizeof(large)},                  /* over the limit */
    };
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        struct link bad = peer_grant(&peer, 10 + i, PURPOSE_TLS_SERVER, 0, 0);
        struct msg answer;
        cr_assert_eq(send_raw(&peer, &bad, packets[i].data, packets[i].len, &answer), ERR_OK, "packet %zu", i);
        peer_assert_refused(&answer, REFUSAL_MALFORMED);
        assert_cut(&peer, &bad, 10 + i, REFUSAL_MALFORMED);
        peer_assert_signs(&peer, &good);
        close(bad.fd);
    }
    cr_assert_eq(peer_status(&peer).total, 1);
    peer_stop(&peer);
}

/* A well-formed request that this channel has no business with. */
Test(hostile, cuts_the_wrong_kind)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link bad = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    const struct link disguised = {.fd = bad.fd, .role = LINK_SIGN_BROWSER, .end = LINK_LOWER};
    const struct msg request = peer_sign_digest(&shake, 8);
    struct msg answer;
    cr_assert_eq(peer_ask(&peer, &disguised, &answer, &request), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_PURPOSE);
    assert_cut(&peer, &bad, 2, REFUSAL_PURPOSE);
    peer_assert_signs(&peer, &good);
    peer_stop(&peer);
}

/* Descriptors come from the broker alone. */
Test(hostile, cuts_who_sends_a_descriptor)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link bad = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    uint8_t packet[LIMIT_SIGN_PACKET];
    size_t len;
    const struct msg request = peer_sign_tls13_server(8);
    cr_assert_eq(codec_encode(packet, &len, sizeof(packet), &request), ERR_OK);
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(channel_send(bad.fd, packet, len, &fds[1], 1), ERR_OK);
    cr_assert_eq(channel_wait(bad.fd, PEER_TIMEOUT_MS), ERR_OK);
    struct msg answer;
    struct packet_extra extra;
    cr_assert_eq(link_recv(&bad, &answer, &extra, peer.arena), ERR_OK);
    peer_assert_refused(&answer, REFUSAL_MALFORMED);
    assert_cut(&peer, &bad, 2, REFUSAL_MALFORMED);
    peer_assert_signs(&peer, &good);
    /* keyd did not keep it: with our own end closed nobody holds the pipe's writing end. */
    close(fds[1]);
    char byte;
    cr_assert_eq(read(fds[0], &byte, 1), 0);
    peer_stop(&peer);
}

/* One that asks and never listens is left alone with its full queue; it does not hold up another, and gets all its
 * answers in order when it reads at last. */
Test(hostile, a_deaf_flood_starves_nobody)
{
    struct peer peer;
    peer_start(&peer);
    struct link good = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link flood = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    uint64_t sent = 0;
    for (unsigned quiet = 0; quiet < 20;) {
        const struct msg request = peer_sign_tls13_server(sent + 1);
        enum err err = link_send(&flood, &request, NULL, 0);
        if (err == ERR_OK) {
            sent++;
            quiet = 0;
            continue;
        }
        cr_assert_eq(err, ERR_AGAIN);
        peer_assert_signs(&peer, &good);
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
    peer_assert_signs(&peer, &good);
    peer_stop(&peer);
}

/* The holder of a deaf channel dies: its slot comes back. */
Test(hostile, a_deaf_channel_can_end)
{
    struct peer peer;
    peer_start(&peer);
    struct link flood = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    const struct msg request = peer_sign_tls13_server(1);
    for (unsigned full = 0; full < 10;) {
        if (link_send(&flood, &request, NULL, 0) == ERR_OK) continue;
        full++;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    close(flood.fd);
    const struct keyd_event event = peer_event(&peer);
    cr_assert_eq(event.grant, 2);
    cr_assert_eq(event.what, GRANT_EVENT_CLOSED);
    cr_assert_eq(peer_status(&peer).total, 0);
    peer_stop(&peer);
}

/* A handle's every use has to be on record: with a broker that does not read, handles are refused in the end, the
 * server's key goes on signing, and all that was signed was reported. */
Test(hostile, a_deaf_broker_stops_handles_only)
{
    struct peer peer;
    peer_start(&peer);
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link client = peer_grant(&peer, 2, PURPOSE_TLS_CLIENT, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    uint64_t signatures = 0;
    struct msg answer;
    for (;;) {
        const struct msg request = peer_sign_tls13_client(&shake, signatures + 1);
        cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
        if (answer.kind != MSG_SIGNATURE) break;
        signatures++;
        cr_assert_lt(signatures, 100000);
    }
    peer_assert_refused(&answer, REFUSAL_BUSY);
    peer_assert_signs(&peer, &server);
    for (uint64_t i = 0; i < signatures; i++) cr_assert_eq(peer_event(&peer).what, GRANT_EVENT_SIGNED);
    const struct msg request = peer_sign_tls13_client(&shake, 1);
    cr_assert_eq(peer_ask(&peer, &client, &answer, &request), ERR_OK);
    cr_assert_eq(answer.kind, MSG_SIGNATURE);
    peer_stop(&peer);
}

/* Or whoever floods a handle would keep the status from the operator. */
Test(hostile, a_flood_of_events_does_not_hold_up_the_status)
{
    struct peer peer;
    peer_start(&peer);
    struct link handles[8];
    for (size_t i = 0; i < 8; i++) handles[i] = peer_grant(&peer, i + 1, PURPOSE_TLS_CLIENT, 0, 1);
    struct link server = peer_grant(&peer, 100, PURPOSE_TLS_SERVER, 0, 0);
    peer_shake(&peer, &shake, &server, &shake_kinds[0]);
    struct msg request = peer_sign_tls13_client(&shake, 1), answer;
    for (unsigned i = 0; i < 8 * 100; i++) cr_assert_eq(peer_ask(&peer, &handles[i % 8], &answer, &request), ERR_OK);
    const struct msg query = {.kind = MSG_STATUS_QUERY, .id = 9};
    cr_assert_eq(link_send(&peer.broker, &query, NULL, 0), ERR_OK);

    unsigned events_after = 0;
    bool told = false;
    struct msg msg;
    struct packet_extra extra;
    while (channel_wait(peer.broker.fd, 500) == ERR_OK && link_recv(&peer.broker, &msg, &extra, peer.arena) == ERR_OK) {
        told = told || msg.kind == MSG_KEYD_STATUS;
        events_after += told && msg.kind == MSG_KEYD_EVENT;
    }
    cr_assert(told);
    cr_assert_gt(events_after, 0, "every event went before the status");
    cr_assert_eq(peer_stop(&peer), 0);
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
    peer_assert_signs(&peer, &server);
    cr_assert_eq(peer_status(&peer).signatures, 1); /* it is done with that channel for now */
    pause_keyd(&peer);
    const struct msg request = peer_sign_tls13_server(5);
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

Test(hostile, a_revocation_goes_before_what_waits)
{
    revoke_and_ask(ORDER_FIRST);
    revoke_and_ask(ORDER_SECOND);
}

/* How many of a flood's requests were answered before a single one on another channel. */
static unsigned overtaken_by(struct peer *peer, const struct link *flood, const struct link *good,
                             enum order good_order)
{
    const struct msg request = peer_sign_tls13_server(1);
    unsigned sent = 0, answered = 0;
    cr_assert_eq(peer_status(peer).total, 2); /* it is done with both channels for now */
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
Test(hostile, a_full_queue_is_not_served_in_one_go)
{
    struct peer peer;
    peer_start(&peer);
    struct link flood = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    struct link good = peer_grant(&peer, 2, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &flood);
    peer_assert_signs(&peer, &good);
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
