/* The running program among many that misbehave in every way, on every kind of signing channel, while one behaves: that one gets
 * all its answers, and nothing of the others stays behind, no descriptor and no memory. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"

#define GOOD 1u /* the grant of the one who behaves */
#define CROWD 100u

static struct peer peer;
static struct link good;
static uint64_t last_grant;

static void setup(void)
{
    cr_assert_eq(geteuid(), 0, "needs root: to count keyd's descriptors");
    last_grant = GOOD;
    peer_start(&peer);
    good = peer_grant(&peer, GOOD, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &good);
}

static void teardown(void)
{
    peer_stop(&peer);
}

TestSuite(crowd, .init = setup, .fini = teardown, .timeout = 120);

/* ---- What keyd holds ---- */

static size_t num_descriptors(void)
{
    char path[64];
    size_t num = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)peer.pid);
    DIR *directory = opendir(path);
    cr_assert_not_null(directory, "%s cannot be read", path);
    while (readdir(directory) != NULL) num++;
    closedir(directory);
    return num;
}

static size_t resident_bytes(void)
{
    char path[64];
    size_t all = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)peer.pid);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%zu %zu", &all, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- What a peer can do to it ---- */

#define MOST_FDS 100u /* more than keyd's buffer has room for */

/* An error is as good as a success: the other end may be closed by now, or full. */
static void send_packet(const struct link *link, const void *data, size_t len, size_t num_fds)
{
    int fds[MOST_FDS] = {0};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof fds)] = {0};
    struct iovec part = {(void *)(uintptr_t)data, len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    for (size_t i = 0; i < num_fds; i++) fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (num_fds > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
        struct cmsghdr *first = CMSG_FIRSTHDR(&header);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
        memcpy(CMSG_DATA(first), fds, num_fds * sizeof(int));
    }
    const ssize_t sent = sendmsg(link->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    for (size_t i = 0; i < num_fds; i++) close(fds[i]);
}

static void send_request(const struct link *link, const struct msg *msg, size_t num_fds)
{
    static uint8_t packet[LIMIT_PACKET];
    size_t len;
    cr_assert_eq(codec_encode(packet, &len, sizeof packet, msg), ERR_OK);
    send_packet(link, packet, len, num_fds);
}

/* A request as this kind of channel takes them, well-formed and good for nothing. */
static struct msg request_for(enum link_role role)
{
    static const uint8_t junk[LIMIT_TRANSCRIPT] = {1, 0, 0, 1, 'x', 2};
    struct msg msg = {.id = 3};
    if (role == LINK_SIGN_SERVER) {
        msg.kind = MSG_EXPECT_CLIENT;
        msg.expect_client = (struct bytes){junk, sizeof junk};
    } else if (role == LINK_SIGN_CLIENT || role == LINK_SIGN_GATEWAY) {
        msg.kind = MSG_SIGN_TLS13_CLIENT;
        msg.sign_tls13_client = (struct sign_tls13_client){SCHEME_ECDSA_P256_SHA256, {junk, sizeof junk}};
    } else {
        msg.kind = MSG_SIGN_BROWSER_DIGEST;
        msg.sign_browser_digest = (struct sign_browser_digest){.scheme = SCHEME_ECDSA_P256_SHA256, .digest_len = 32};
    }
    return msg;
}

static void send_garbage(const struct link *link)
{
    send_packet(link, "\xff\xff\xff\xff", 4, 0);
}

static void send_nothing(const struct link *link)
{
    send_packet(link, "", 0, 0);
}

static void send_too_much(const struct link *link)
{
    static uint8_t large[LIMIT_PACKET];
    send_packet(link, large, sizeof large, 0);
}

static void send_cut_short(const struct link *link)
{
    send_packet(link, "\x52\x04\x08\x83\x08\x12", 6, 0);
}

static void send_descriptor(const struct link *link)
{
    const struct msg msg = request_for(link->role);
    send_request(link, &msg, 1);
}

static void send_descriptors(const struct link *link)
{
    send_packet(link, "\xff", 1, MOST_FDS);
}

/* The broker's words, in somebody else's mouth. */
static void send_revocation(const struct link *link)
{
    struct msg msg = {.kind = MSG_KEYD_REVOKE};
    msg.keyd_revoke = GOOD;
    send_request(link, &msg, 0);
}

static void send_grant(const struct link *link)
{
    struct msg msg = {.kind = MSG_KEYD_GRANT};
    msg.keyd_grant = (struct keyd_grant){.grant = 7777777, .purpose = PURPOSE_TLS_SERVER, .label = "mine"};
    send_request(link, &msg, 1);
}

static void send_answer(const struct link *link)
{
    struct msg msg = {.kind = MSG_SIGNATURE, .id = 3};
    msg.signature = (struct bytes){(const uint8_t *)"0", 1};
    send_request(link, &msg, 0);
}

static void send_useless(const struct link *link)
{
    const struct msg msg = request_for(link->role);
    send_request(link, &msg, 0);
}

/* As much as the channel takes, and nothing is ever read. */
static void flood(const struct link *link)
{
    const struct msg msg = request_for(link->role);
    for (unsigned i = 0; i < 1000 && link_send(link, &msg, NULL, 0) == ERR_OK; i++) {
    }
}

static void end(const struct link *link)
{
    shutdown(link->fd, SHUT_RDWR);
}

static void (*const attacks[])(const struct link *) = {
    send_garbage, send_nothing,    send_too_much, send_cut_short, send_descriptor, send_descriptors,
    send_grant,   send_revocation, send_answer,   send_useless,   flood,           end,
};
enum { NUM_ATTACKS = sizeof attacks / sizeof attacks[0] };

static const enum purpose purposes[] = {PURPOSE_TLS_SERVER, PURPOSE_TLS_CLIENT, PURPOSE_BROWSER_DIGEST,
                                        PURPOSE_GATEWAY};
enum { NUM_PURPOSES = 4 };

static struct link new_peer(enum purpose purpose)
{
    return peer_grant(&peer, ++last_grant, purpose, 0, 0);
}

/* Takes all grants back but the good one; keyd has done that when this returns. */
static void revoke_all_since(uint64_t grant)
{
    while (last_grant > grant) peer_revoke(&peer, last_grant--);
    cr_assert_eq(peer_status(&peer).total, 1);
}

Test(crowd, each_misdeed_on_each_channel_costs_nobody_else_anything)
{
    const size_t before = num_descriptors();
    for (size_t p = 0; p < NUM_PURPOSES; p++) {
        for (size_t a = 0; a < NUM_ATTACKS; a++) {
            struct link bad = new_peer(purposes[p]);
            attacks[a](&bad);
            for (unsigned i = 0; i < 3; i++) peer_assert_signs(&peer, &good);
            revoke_all_since(GOOD);
            close(bad.fd);
            cr_assert_eq(num_descriptors(), before, "misdeed %zu, purpose %d", a, (int)purposes[p]);
        }
    }
}

Test(crowd, a_hundred_at_once_cost_nobody_else_anything)
{
    static struct link bad[CROWD];
    const size_t before = num_descriptors();
    for (size_t i = 0; i < CROWD; i++) bad[i] = new_peer(purposes[i % NUM_PURPOSES]);
    for (unsigned round = 0; round < 10; round++) {
        for (size_t i = 0; i < CROWD; i++) {
            attacks[(i / NUM_PURPOSES + round) % NUM_ATTACKS](&bad[i]);
            if (i % 10 == 0) peer_assert_signs(&peer, &good);
        }
    }
    for (unsigned i = 0; i < 100; i++) peer_assert_signs(&peer, &good);
    for (size_t i = 0; i < CROWD; i++) close(bad[i].fd);
    revoke_all_since(GOOD);
    cr_assert_eq(num_descriptors(), before);
}

/* Answers are taken, so that keyd has to go on. */
static void read_all(const struct link *link)
{
    static uint8_t packet[LIMIT_PACKET];
    while (recv(link->fd, packet, sizeof packet, MSG_DONTWAIT) > 0) {
    }
}

/* Twice as many packets as misdeeds: most of these cut their channel, so that a request that does not goes with each. */
static void send_round(unsigned misdeeds)
{
    static struct link bad[NUM_PURPOSES][NUM_ATTACKS];
    struct link useless[NUM_PURPOSES];
    const uint64_t first = last_grant;
    for (size_t p = 0; p < NUM_PURPOSES; p++) {
        for (size_t a = 0; a < NUM_ATTACKS; a++) bad[p][a] = new_peer(purposes[p]);
        useless[p] = new_peer(purposes[p]);
    }
    for (unsigned i = 0; i < misdeeds; i++) {
        const size_t p = i % NUM_PURPOSES, a = i / NUM_PURPOSES % NUM_ATTACKS;
        if (attacks[a] != flood) attacks[a](&bad[p][a]);
        send_useless(&useless[p]);
        if (i % 64 != 0) continue;
        for (size_t n = 0; n < NUM_PURPOSES; n++) read_all(&useless[n]);
        peer_assert_signs(&peer, &good);
    }
    for (size_t p = 0; p < NUM_PURPOSES; p++) {
        for (size_t a = 0; a < NUM_ATTACKS; a++) close(bad[p][a].fd);
        close(useless[p].fd);
    }
    revoke_all_since(first);
}

/* The first rounds take what is kept for such days: tables, the stack, the arena. */
Test(crowd, memory_is_bounded_whatever_arrives)
{
    const size_t allowed = 256u * 1024u;
    for (unsigned i = 0; i < 4; i++) send_round(1000);
    const size_t before = resident_bytes();
    for (unsigned i = 0; i < 50; i++) send_round(1000); /* two packets each */
    const size_t after = resident_bytes();
    cr_assert_leq(after, before + allowed, "%zu bytes before, %zu after", before, after);
    cr_assert_eq(peer_status(&peer).total, 1);
    peer_assert_signs(&peer, &good);
}
