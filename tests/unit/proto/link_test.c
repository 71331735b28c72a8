#include "proto/link.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/proto/sample.h"

static struct codec_arena *arena;
static struct packet_extra extra;
static struct msg out;
static int ends[2];

static void set_up(void)
{
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
    cr_assert_not_null(arena);
    cr_assert_eq(channel_pair(ends), ERR_OK);
}

static void tear_down(void)
{
    codec_arena_free(arena);
    close(ends[0]);
    close(ends[1]);
}

TestSuite(link, .init = set_up, .fini = tear_down);

static struct link upper(enum link_role role)
{
    return (struct link){.fd = ends[0], .role = role, .end = LINK_UPPER};
}

static struct link lower(enum link_role role)
{
    return (struct link){.fd = ends[1], .role = role, .end = LINK_LOWER};
}

static size_t num_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    cr_assert_not_null(dir);
    size_t num = 0;
    while (readdir(dir) != NULL) num++;
    closedir(dir);
    return num;
}

/* Sends as a sender would that does not keep to the rules. */
static void send_raw(int fd, const struct msg *msg, size_t num_fds)
{
    static struct wire packet;
    int fds[LIMIT_PACKET_FDS];
    for (size_t i = 0; i < num_fds; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        cr_assert_geq(fds[i], 0);
    }
    wire_of(&packet, msg);
    cr_assert_eq(channel_send(fd, packet.data, packet.len, fds, num_fds), ERR_OK);
    for (size_t i = 0; i < num_fds; i++) close(fds[i]);
}

Test(link, carries_a_request_and_its_answer)
{
    struct link web = lower(LINK_SIGN_SERVER), keyd = upper(LINK_SIGN_SERVER);
    struct msg request = sample_of(MSG_SIGN_TLS13_SERVER), answer = sample_of(MSG_SIGNATURE);
    cr_assert_eq(link_send(&web, &request, NULL, 0), ERR_OK);
    cr_assert_eq(link_recv(&keyd, &out, &extra, arena), ERR_OK);
    sample_expect_same(&out, &request);
    cr_assert_eq(link_send(&keyd, &answer, NULL, 0), ERR_OK);
    cr_assert_eq(link_recv(&web, &out, &extra, arena), ERR_OK);
    sample_expect_same(&out, &answer);
    cr_expect_eq(link_recv(&web, &out, &extra, arena), ERR_AGAIN);
}

Test(link, carries_descriptors)
{
    struct link broker = upper(LINK_BROKER_KEYD), keyd = lower(LINK_BROKER_KEYD);
    struct msg grant = sample_of(MSG_KEYD_GRANT);
    int pipe_ends[2];
    cr_assert_eq(pipe(pipe_ends), 0);
    cr_assert_eq(link_send(&broker, &grant, &pipe_ends[1], 1), ERR_OK);
    cr_assert_eq(link_recv(&keyd, &out, &extra, arena), ERR_OK);
    cr_assert_eq(extra.num_fds, 1);
    int fd = packet_extra_take(&extra, 0);
    cr_expect_eq(write(fd, "x", 1), 1);
    char byte = 0;
    cr_expect_eq(read(pipe_ends[0], &byte, 1), 1);
    cr_expect_eq(byte, 'x');
}

Test(link, carries_the_largest_packet)
{
    static uint8_t der[LIMIT_CERTIFICATE];
    struct link broker = upper(LINK_BROKER_WEB), web = lower(LINK_BROKER_WEB);
    struct msg identity = {.kind = MSG_WEB_IDENTITY};
    identity.web_identity.num_chain = 4;
    identity.web_identity.num_client_cas = 3;
    identity.web_identity.own_client = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (size_t i = 0; i < 4; i++) identity.web_identity.chain[i] = (struct bytes){der, sizeof der};
    for (size_t i = 0; i < 3; i++) identity.web_identity.client_cas[i] = (struct bytes){der, sizeof der};
    cr_assert_eq(link_send(&broker, &identity, &ends[0], 1), ERR_OK);
    cr_assert_eq(link_recv(&web, &out, &extra, arena), ERR_OK);
    sample_expect_same(&out, &identity);
    packet_extra_close(&extra);
    identity.web_identity.num_client_cas = 4;
    identity.web_identity.client_cas[3] = (struct bytes){der, sizeof der};
    cr_expect_eq(link_send(&broker, &identity, &ends[0], 1), ERR_TOO_LARGE);
}

Test(link, wrong_number_of_descriptors_is_malformed)
{
    struct link keyd = lower(LINK_BROKER_KEYD);
    struct msg grant = sample_of(MSG_KEYD_GRANT), revoke = sample_of(MSG_KEYD_REVOKE);
    size_t before = num_open_fds();
    for (size_t num = 0; num <= LIMIT_PACKET_FDS; num++) {
        if (num == 1) continue;
        send_raw(ends[0], &grant, num);
        cr_expect_eq(link_recv(&keyd, &out, &extra, arena), ERR_MALFORMED, "%zu", num);
        cr_expect_eq(extra.num_fds, 0);
        cr_expect_eq(num_open_fds(), before, "leaked after %zu", num);
    }
    send_raw(ends[0], &revoke, 1);
    cr_expect_eq(link_recv(&keyd, &out, &extra, arena), ERR_MALFORMED);
    cr_expect_eq(num_open_fds(), before);
}

Test(link, a_signing_channel_takes_no_descriptor)
{
    struct link keyd = upper(LINK_SIGN_CLIENT);
    struct msg request = sample_of(MSG_SIGN_TLS13_CLIENT);
    size_t before = num_open_fds();
    send_raw(ends[1], &request, 1);
    cr_expect_eq(link_recv(&keyd, &out, &extra, arena), ERR_MALFORMED);
    cr_expect_eq(num_open_fds(), before);
}

Test(link, a_signing_channel_takes_no_long_packet)
{
    static const enum link_role roles[] = {LINK_SIGN_BROWSER, LINK_SIGN_SERVER, LINK_SIGN_CLIENT};
    static const size_t limits[] = {LIMIT_SIGN_PACKET, LIMIT_TRANSCRIPT_PACKET, LIMIT_CLIENT_PACKET};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct link keyd = upper(roles[i]);
        static uint8_t packet[LIMIT_CLIENT_PACKET + 1];
        cr_assert_eq(channel_send(ends[1], packet, limits[i] + 1, NULL, 0), ERR_OK);
        cr_expect_eq(link_recv(&keyd, &out, &extra, arena), ERR_TOO_LARGE);
        cr_assert_eq(channel_send(ends[1], packet, limits[i], NULL, 0), ERR_OK);
        cr_expect_eq(link_recv(&keyd, &out, &extra, arena), ERR_MALFORMED);
    }
}

Test(link, kinds_out_of_place_are_denied)
{
    for (unsigned role = 0; role < LINK_NUM_ROLES; role++) {
        for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) {
            struct link from = upper(role), to = lower(role);
            struct msg sample = sample_of(kind);
            static struct wire packet;
            wire_of(&packet, &sample);
            if (packet.len > LIMIT_SIGN_PACKET) continue;
            size_t num_fds = 0;
            while (!rules_fds_valid(&sample, num_fds)) num_fds++;
            if (num_fds > rules_max_fds(role)) continue;
            send_raw(from.fd, &sample, num_fds);
            bool allowed = (rules_accepted(role, LINK_LOWER) & MSG_BIT(kind)) != 0;
            cr_expect_eq(link_recv(&to, &out, &extra, arena), allowed ? ERR_OK : ERR_DENIED, "role %u, %s", role,
                         msg_kind_name(kind));
            cr_expect_eq(out.kind, kind);
            packet_extra_close(&extra);
        }
    }
}

Test(link, sending_a_kind_out_of_place_is_a_bug, .signal = SIGILL)
{
    struct link web = lower(LINK_SIGN_SERVER);
    struct msg request = sample_of(MSG_SIGN_BROWSER_DIGEST);
    cr_log_error("came back with %d", (int)link_send(&web, &request, NULL, 0));
}

Test(link, sending_too_few_descriptors_is_a_bug, .signal = SIGILL)
{
    struct link broker = upper(LINK_BROKER_KEYD);
    struct msg grant = sample_of(MSG_KEYD_GRANT);
    cr_log_error("came back with %d", (int)link_send(&broker, &grant, NULL, 0));
}

Test(link, the_other_end_gone_is_closed)
{
    struct link web = lower(LINK_SIGN_SERVER);
    struct msg request = sample_of(MSG_SIGN_TLS13_SERVER);
    close(ends[0]);
    cr_expect_eq(link_recv(&web, &out, &extra, arena), ERR_CLOSED);
    cr_expect_eq(link_send(&web, &request, NULL, 0), ERR_CLOSED);
    cr_expect_eq(link_call(&web, &out, &extra, arena, &request, NULL, 0, 1000), ERR_CLOSED);
    ends[0] = -1;
}

Test(link, names_the_sender_of_what_is_malformed)
{
    struct link keyd = upper(LINK_SIGN_BROWSER);
    cr_assert_eq(channel_want_sender(ends[0]), ERR_OK);
    cr_assert_eq(channel_send(ends[1], (const uint8_t *)"\xff", 1, NULL, 0), ERR_OK);
    cr_assert_eq(link_recv(&keyd, &out, &extra, arena), ERR_MALFORMED);
    cr_expect(extra.has_sender);
    cr_expect_eq(extra.sender.pid, getpid());
}

Test(link, keeps_the_id_of_what_is_out_of_bounds)
{
    struct link keyd = upper(LINK_SIGN_BROWSER);
    static struct wire body, packet;
    wire_add_bytes(&body, 1, "too short", 9);
    wire_envelope(&packet, 13, &body);
    cr_assert_eq(channel_send(ends[1], packet.data, packet.len, NULL, 0), ERR_OK);
    cr_assert_eq(link_recv(&keyd, &out, &extra, arena), ERR_MALFORMED);
    cr_expect_eq(out.id, (uint64_t)SAMPLE_ID);
}

Test(link, call_takes_the_answer_with_its_own_id)
{
    struct link client = lower(LINK_CONTROL), broker = upper(LINK_CONTROL);
    struct msg stale = sample_of(MSG_HANDLE_MINTED), answer = sample_of(MSG_CA);
    struct msg request = {.kind = MSG_CA_QUERY, .id = 8};
    size_t before = num_open_fds();
    stale.id = 7;
    answer.id = 8;
    cr_assert_eq(link_send(&broker, &stale, &ends[0], 1), ERR_OK);
    cr_assert_eq(link_send(&broker, &answer, NULL, 0), ERR_OK);
    cr_assert_eq(link_call(&client, &out, &extra, arena, &request, NULL, 0, 1000), ERR_OK);
    sample_expect_same(&out, &answer);
    cr_expect_eq(num_open_fds(), before, "the stale answer's descriptor is still open");
    cr_assert_eq(link_recv(&broker, &out, &extra, arena), ERR_OK);
    cr_expect_eq(out.kind, MSG_CA_QUERY);
}

Test(link, call_takes_a_last_word_about_the_channel)
{
    struct link client = lower(LINK_SIGN_CLIENT), keyd = upper(LINK_SIGN_CLIENT);
    struct msg request = sample_of(MSG_SIGN_TLS13_CLIENT), word = {.kind = MSG_REFUSAL, .refusal = REFUSAL_REVOKED};
    cr_assert_eq(link_send(&keyd, &word, NULL, 0), ERR_OK);
    cr_assert_eq(link_call(&client, &out, &extra, arena, &request, NULL, 0, 1000), ERR_OK);
    sample_expect_same(&out, &word);
    cr_assert_eq(link_send(&keyd, &word, NULL, 0), ERR_OK);
    close(ends[0]);
    ends[0] = -1;
    cr_assert_eq(link_call(&client, &out, &extra, arena, &request, NULL, 0, 1000), ERR_OK);
    sample_expect_same(&out, &word);
    cr_assert_eq(link_call(&client, &out, &extra, arena, &request, NULL, 0, 1000), ERR_CLOSED);
}

Test(link, call_has_a_deadline)
{
    struct link client = lower(LINK_CONTROL), broker = upper(LINK_CONTROL);
    struct msg stale = {.kind = MSG_DONE, .id = 7}, request = {.kind = MSG_CA_QUERY, .id = 8};
    cr_assert_eq(link_send(&broker, &stale, NULL, 0), ERR_OK);
    uint64_t start = clock_monotonic_ms();
    cr_expect_eq(link_call(&client, &out, &extra, arena, &request, NULL, 0, 50), ERR_TIMEOUT);
    uint64_t took = clock_monotonic_ms() - start;
    cr_expect_geq(took, 49);
    cr_expect_lt(took, 5000);
}

Test(link, call_refuses_what_is_no_answer)
{
    struct link client = lower(LINK_CONTROL);
    struct msg request = {.kind = MSG_CA_QUERY, .id = 8}, wrong = {.kind = MSG_STOP, .id = 8};
    send_raw(ends[0], &wrong, 0);
    cr_expect_eq(link_call(&client, &out, &extra, arena, &request, NULL, 0, 1000), ERR_DENIED);
}
