/* Revoking, with the test as keyd and as two web workers. */
#include "broker/revocation.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"
#include "broker/listener.h"

enum { WORKERS = 2 };

static struct broker broker;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct codec_arena *arena;
static struct link asker, keyd, web[WORKERS]; /* the processes' own ends */
static struct certificate_info certificates[] = {
    {.role = "ca", .serial = "0ca0"}, {.role = "server", .serial = "05e0"}, {.role = "client", .serial = "0c11"}};

static void serve(void)
{
    struct pollfd rows[1 + CONTROL_CLIENTS];
    size_t num = control_polls(&broker.control, rows);
    if (poll(rows, num, 0) > 0) control_serve(&broker, rows, num);
}

static struct link dial(void)
{
    socklen_t len = sizeof address;
    struct link link = {
        .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), .role = LINK_CONTROL, .end = LINK_LOWER};
    cr_assert_eq(getsockname(broker.control.listener, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(connect(link.fd, (struct sockaddr *)&address, len), 0);
    serve();
    return link;
}

static struct link start(enum program program, uint32_t instance, enum link_role role)
{
    int ends[2];
    struct process *process = &broker.processes[broker.num_processes++];
    process_init(process, program, instance);
    cr_assert_eq(channel_pair(ends), ERR_OK);
    process->link = (struct link){.fd = ends[0], .role = role, .end = LINK_UPPER};
    process->life.state = LIFE_RUNNING;
    process->introduced = program == PROGRAM_WEB;
    return (struct link){.fd = ends[1], .role = role, .end = LINK_LOWER};
}

static void set_up(void)
{
    static struct resources resources;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    cr_assert_eq(listen(fd, 64), 0);
    broker.resources = &resources;
    broker.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    broker.spawner.link.fd = -1;
    control_init(&broker.control, fd, geteuid());
    cr_assert_eq(listener_cookie(&broker.host_cookie, fd), ERR_OK);
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
    keyd = start(PROGRAM_KEYD, 0, LINK_BROKER_KEYD);
    for (uint32_t i = 0; i < WORKERS; i++) web[i] = start(PROGRAM_WEB, i, LINK_BROKER_WEB);
    broker.identity.present = true;
    broker.identity.value.certificates = certificates;
    broker.identity.value.num_certificates = 3;
    asker = dial();
}

TestSuite(revocation, .init = set_up, .timeout = 30);

static uint64_t lend(uint64_t parent)
{
    const struct keyd_grant terms = {.purpose = PURPOSE_TLS_CLIENT, .label = "get", .parent = parent};
    return handles_add(&broker.handles, &terms, 0)->id;
}

static void say(struct msg question)
{
    question.id = 77;
    cr_assert_eq(link_send(&asker, &question, NULL, 0), ERR_OK);
    serve();
}

static struct msg hear(const struct link *link)
{
    struct msg msg;
    struct packet_extra extra;
    cr_assert_eq(link_recv(link, &msg, &extra, arena), ERR_OK);
    return msg;
}

static bool silent(const struct link *link)
{
    struct msg msg;
    struct packet_extra extra;
    return link_recv(link, &msg, &extra, arena) == ERR_AGAIN;
}

/* The worker has been asked for one handle; it answers. */
static void answer_web(uint32_t i, uint64_t handle, uint64_t connections)
{
    struct msg msg = hear(&web[i]);
    cr_assert_eq(msg.kind, MSG_WEB_REVOKE);
    cr_assert_eq(msg.web_revoke.num_handles, 1);
    cr_assert_eq(msg.web_revoke.handles[0], handle);
    const struct msg done = {.kind = MSG_WEB_REVOKED, .id = msg.id, .web_revoked = connections};
    web_answer(&broker, &broker.processes[1 + i], &done);
}

static void close_handle(uint64_t handle)
{
    const struct msg event = {
        .kind = MSG_KEYD_EVENT,
        .keyd_event = {.grant = handle, .what = GRANT_EVENT_CLOSED, .reason = REFUSAL_REVOKED, .count = 1}};
    keyd_answer(&broker, broker_keyd(&broker), &event);
}

static void expect_done(uint64_t connections)
{
    struct msg answer = hear(&asker);
    cr_assert_eq(answer.kind, MSG_DONE, "%s", answer.kind == MSG_FAILED ? answer.failed.text : "");
    cr_assert_eq(answer.id, 77);
    cr_assert_eq(answer.done, connections);
    cr_assert_eq(revocation_deadline(&broker), 0);
}

static struct msg certificate(const char *text)
{
    static uint8_t serial[LIMIT_SERIAL];
    struct msg msg = {.kind = MSG_CERTIFICATE_REVOKE};
    msg.certificate_revoke = (struct bytes){serial, strlen(text)};
    memcpy(serial, text, strlen(text));
    return msg;
}

static void expect_failed(enum err err, const char *text)
{
    struct msg answer = hear(&asker);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, (uint32_t)err);
    cr_assert_not_null(strstr(answer.failed.text, text), "%s", answer.failed.text);
    cr_assert_eq(revocation_deadline(&broker), 0);
}

Test(revocation, is_done_when_everybody_has_said_so)
{
    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    struct msg told = hear(&keyd);
    cr_assert_eq(told.kind, MSG_KEYD_REVOKE);
    cr_assert_eq(told.keyd_revoke, id);
    answer_web(0, id, 2); /* they do not wait for keyd */
    answer_web(1, id, 0);
    cr_assert(silent(&asker), "keyd may have signed since");
    close_handle(id);
    cr_assert_null(handles_find(&broker.handles, id));
    answer_web(0, id, 1); /* what keyd had still said when they were asked first */
    cr_assert(silent(&asker));
    answer_web(1, id, 0);
    expect_done(3);
    cr_assert(silent(&web[0]));
}

Test(revocation, takes_what_was_derived_along)
{
    uint64_t id = lend(0), part_of_part = lend(lend(id)), other = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    answer_web(0, id, 0);
    cr_assert_eq(hear(&keyd).keyd_revoke, id);
    cr_assert(silent(&keyd), "both know who belongs to whom");
    close_handle(id);
    cr_assert_null(handles_find(&broker.handles, part_of_part));
    cr_assert_not_null(handles_find(&broker.handles, other));
    answer_web(0, id, 0);
}

Test(revocation, names_no_more_handles_in_a_message_than_fit)
{
    uint64_t id = lend(0);
    size_t sum = 0;
    for (size_t i = 0; i < LIMIT_REVOKED_HANDLES; i++) lend(id);
    say(certificate("\x0c\x11")); /* keyd's own client's, which is that of every handle */
    for (unsigned i = 0; i < 2; i++) {
        struct msg msg = hear(&web[0]);
        sum += msg.web_revoke.num_handles;
        const struct msg done = {.kind = MSG_WEB_REVOKED, .id = msg.id, .web_revoked = 1};
        web_answer(&broker, &broker.processes[1], &done);
    }
    cr_assert_eq(sum, LIMIT_REVOKED_HANDLES + 1);
    cr_assert(silent(&web[0]));
    cr_assert(process_is_up(&broker.processes[1]));
}

/* Its connections may be somebody's still: a holder can let go of a handle and keep them. */
Test(revocation, of_a_handle_that_has_ended_ends_its_connections)
{
    uint64_t id = lend(0);
    keyd_revoke(&broker, id);
    cr_assert_eq(hear(&keyd).keyd_revoke, id);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    answer_web(0, id, 0);
    answer_web(1, id, 0);
    cr_assert(silent(&asker), "keyd may have signed before it heard of the end");
    close_handle(id);
    answer_web(0, id, 0);
    answer_web(1, id, 1);
    expect_done(1);
    cr_assert_eq(hear(&keyd).keyd_revoke, id);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    for (unsigned i = 0; i < 2; i++) {
        answer_web(0, id, 0);
        answer_web(1, id, 0);
        if (i == 0) close_handle(id);
    }
    expect_failed(ERR_NOT_FOUND, "handle 1: there is none; broker handle list shows them");
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id + 1});
    expect_failed(ERR_NOT_FOUND, "handle 2: there is none");
    cr_assert(silent(&web[0]), "it never was");
}

Test(revocation, does_not_wait_for_who_is_gone)
{
    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    answer_web(0, id, 4);
    web_ended(&broker, &broker.processes[2]);
    cr_assert(silent(&asker));
    keyd_ended(&broker);
    answer_web(0, id, 0);
    expect_done(4);
}

/* The handle may end by itself while it is being revoked, and its row be forgotten before keyd's word is here. */
Test(revocation, is_done_whatever_the_handle_ended_of)
{
    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    keyd_revoke(&broker, id);
    cr_assert_null(handles_find(&broker.handles, id));
    answer_web(0, id, 0);
    answer_web(1, id, 0);
    close_handle(id);
    answer_web(0, id, 0);
    answer_web(1, id, 0);
    expect_done(0);
}

Test(revocation, replaces_who_does_not_answer_in_time)
{
    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    answer_web(1, id, 1);
    uint64_t deadline = revocation_deadline(&broker);
    cr_assert_leq(deadline, clock_monotonic_ms() + DEADLINE_REVOKE_MS);
    revocation_expire(&broker, deadline - 1);
    cr_assert(silent(&asker));
    revocation_expire(&broker, deadline);
    expect_failed(ERR_TIMEOUT, "handle 1 is revoked, but keyd, web[0] did not confirm it within 2000 ms; replaced");
    cr_assert_not(process_is_up(broker_keyd(&broker)));
    cr_assert_not(process_is_up(&broker.processes[1]));
    cr_assert(process_is_up(&broker.processes[2]));
}

Test(revocation, does_not_need_whoever_asked)
{
    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    close(asker.fd);
    serve();
    asker = dial(); /* in the same place */
    close_handle(id);
    for (unsigned i = 0; i < 2; i++) {
        answer_web(0, id, 0);
        answer_web(1, id, 0);
    }
    cr_assert(silent(&asker), "it has asked nothing");
    cr_assert_eq(revocation_deadline(&broker), 0);
}

Test(revocation, has_room_for_so_many_at_a_time)
{
    for (size_t i = 0; i < REVOCATIONS; i++) say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = lend(0)});
    cr_assert(silent(&asker));
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = lend(0)});
    struct msg answer = hear(&asker);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_AGAIN);
    cr_assert_not_null(handles_find(&broker.handles, REVOCATIONS + 1), "and nothing was done");
}

Test(revocation, a_liar_is_not_counted_twice)
{
    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    struct msg msg = hear(&web[0]);
    const struct msg lie = {.kind = MSG_WEB_REVOKED, .id = msg.id, .web_revoked = UINT64_MAX};
    for (unsigned i = 0; i < 5; i++) web_answer(&broker, &broker.processes[1], &lie);
    answer_web(1, id, 0);
    close_handle(id);
    for (unsigned i = 0; i < 5; i++) web_answer(&broker, &broker.processes[1], &lie);
    answer_web(1, id, 0);
    expect_done(2 * LIMIT_CONNECTIONS);
}

/* ---- Certificates ---- */

static void answer_serial(uint32_t i, const char *text, uint64_t connections)
{
    struct msg msg = hear(&web[i]);
    cr_assert_eq(msg.kind, MSG_WEB_REVOKE);
    cr_assert_eq(msg.web_revoke.num_serials, 1);
    cr_assert(bytes_equal(msg.web_revoke.serials[0], (struct bytes){(const uint8_t *)text, strlen(text)}));
    const struct msg done = {.kind = MSG_WEB_REVOKED, .id = msg.id, .web_revoked = connections};
    web_answer(&broker, &broker.processes[1 + i], &done);
}

Test(revocation, of_a_certificate_is_told_to_the_workers)
{
    lend(0);
    say(certificate("\x0a\x0b"));
    answer_serial(0, "\x0a\x0b", 1);
    answer_serial(1, "\x0a\x0b", 1);
    expect_done(2);
    cr_assert(silent(&keyd));
    cr_assert_eq(broker.handles.num, 1);
    say(certificate("\x0a\x0b")); /* again: done again */
    answer_serial(0, "\x0a\x0b", 0);
    answer_serial(1, "\x0a\x0b", 0);
    expect_done(0);
    say(certificate("\x0c"));
    answer_serial(0, "\x0c", 0);
    answer_serial(1, "\x0c", 0);
    expect_done(0);
    cr_assert_eq(broker.revocations.num_certificates, 2);
}

Test(revocation, of_certificates_is_told_to_new_workers)
{
    revocation_introduce(&broker, &broker.processes[1]);
    cr_assert(silent(&web[0]), "there is nothing to tell");
    say(certificate("\x0a\x0b"));
    say(certificate("\x0c"));
    hear(&web[0]);
    hear(&web[0]);
    revocation_introduce(&broker, &broker.processes[1]);
    struct msg msg = hear(&web[0]);
    cr_assert_eq(msg.kind, MSG_WEB_REVOKE);
    cr_assert_eq(msg.id, 0, "it needs no answer");
    cr_assert_eq(msg.web_revoke.num_serials, 2);
    cr_assert_eq(msg.web_revoke.serials[1].data[0], 0x0c);
}

Test(revocation, keeps_so_many_certificates)
{
    struct revoked_certificate *kept = broker.revocations.certificates;
    for (size_t i = 0; i < LIMIT_REVOKED_SERIALS - 1; i++)
        kept[i] = (struct revoked_certificate){.serial = {1, (uint8_t)(i >> 8), (uint8_t)i}, .len = 3};
    broker.revocations.num_certificates = LIMIT_REVOKED_SERIALS - 1;
    say(certificate("\x0c"));
    answer_serial(0, "\x0c", 0);
    answer_serial(1, "\x0c", 0);
    expect_done(0);
    say(certificate("\x0d"));
    expect_failed(ERR_TOO_LARGE, "certificate 0d: 1024 are revoked already, which is all that is kept");
    cr_assert(silent(&web[0]));
    say(certificate("\x0c")); /* one of them */
    answer_serial(0, "\x0c", 0);
    answer_serial(1, "\x0c", 0);
    expect_done(0);
    revocation_introduce(&broker, &broker.processes[1]);
    cr_assert_eq(hear(&web[0]).web_revoke.num_serials, LIMIT_REVOKED_SERIALS);
}

Test(revocation, of_keyds_own_client_certificate_renews_keyd)
{
    uint64_t id = lend(0);
    lend(id);
    say(certificate("\x0c\x11"));
    struct msg msg = hear(&web[0]);
    cr_assert_eq(msg.web_revoke.num_serials, 1);
    cr_assert_eq(msg.web_revoke.num_handles, 2);
    const struct msg done = {.kind = MSG_WEB_REVOKED, .id = msg.id, .web_revoked = 2};
    web_answer(&broker, &broker.processes[1], &done);
    hear(&web[1]);
    web_answer(&broker, &broker.processes[2], &(struct msg){.kind = MSG_WEB_REVOKED, .id = done.id});
    cr_assert_leq(broker.renew_at, clock_monotonic_ms());
    cr_assert_neq(broker.renew_at, 0);
    cr_assert(silent(&asker), "keyd still has the key");
    keyd_ended(&broker);
    web_answer(&broker, &broker.processes[1], &(struct msg){.kind = MSG_WEB_REVOKED, .id = done.id});
    web_answer(&broker, &broker.processes[2], &(struct msg){.kind = MSG_WEB_REVOKED, .id = done.id});
    expect_done(2);
}

/* The next keyd would have the same certificate. */
Test(revocation, of_a_client_certificate_that_was_brought_ends_minting)
{
    static struct resources resources = {.client = {.num = 1}};
    const struct keyd_grant terms = {.purpose = PURPOSE_TLS_CLIENT, .label = "get"},
                            worker = {.purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    uint64_t handle;
    int end;
    broker.max_handles = LIMIT_GRANTS;
    broker.resources = &resources;
    say(certificate("\x0a\x0b"));
    cr_assert_eq(keyd_grant(&broker, &handle, &end, &terms), ERR_OK, "another's was revoked");
    say(certificate("\x0c\x11"));
    cr_assert_eq(keyd_grant(&broker, &handle, &end, &terms), ERR_DENIED);
    cr_assert_eq(keyd_grant(&broker, &handle, &end, &worker), ERR_OK);
    cr_assert_neq(broker.renew_at, 0);
    say((struct msg){.kind = MSG_HANDLE_MINT, .handle_mint = {.label = "x", .lifetime_s = 60, .server = "localhost"}});
    struct msg answer = hear(&asker);
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_not_null(strstr(answer.failed.text, "the client certificate is revoked; start the broker with another"),
                       "%s", answer.failed.text);
}

Test(revocation, of_keyds_other_certificates_is_refused)
{
    say(certificate("\x0c\xa0"));
    expect_failed(ERR_INPUT, "certificate 0ca0 is this system's own ca certificate");
    say(certificate("\x05\xe0"));
    expect_failed(ERR_INPUT, "certificate 05e0 is this system's own server certificate");
    cr_assert_eq(broker.revocations.num_certificates, 0);
    cr_assert(silent(&web[0]));
}

/* ---- Expectations ---- */

static bool next_expect(uint32_t i)
{
    struct msg msg = hear(&web[i]);
    cr_assert_eq(msg.kind, MSG_WEB_EXPECT, "%s", msg_kind_name(msg.kind));
    return msg.web_expect;
}

Test(revocation, workers_know_whether_a_handle_is_out)
{
    const struct keyd_grant terms = {.purpose = PURPOSE_TLS_CLIENT, .label = "get"},
                            worker = {.purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    uint64_t first, second, channel;
    int end;
    broker.max_handles = LIMIT_GRANTS;
    cr_assert_eq(keyd_grant(&broker, &channel, &end, &worker), ERR_OK);
    cr_assert(silent(&web[0]), "a worker's own channel is no handle");
    cr_assert_eq(keyd_grant(&broker, &first, &end, &terms), ERR_OK);
    cr_assert(next_expect(0), "before anybody has it");
    cr_assert(next_expect(1));
    cr_assert_eq(keyd_grant(&broker, &second, &end, &terms), ERR_OK);
    cr_assert(silent(&web[0]));
    close_handle(first);
    cr_assert(silent(&web[0]));
    keyd_revoke(&broker, second);
    cr_assert_not(next_expect(0));
    cr_assert_not(next_expect(1));
    cr_assert_eq(keyd_grant(&broker, &first, &end, &terms), ERR_OK);
    cr_assert(next_expect(0));
    keyd_ended(&broker);
    cr_assert_not(next_expect(0));
}

/* The key that the worker is to seal tickets with, and how many there are, from what it is told next. */
static size_t hear_tickets(uint8_t out[LIMIT_TICKET_KEY], const struct link *link)
{
    uint8_t keys[4 * LIMIT_TICKET_KEY];
    struct msg msg;
    struct packet_extra extra;
    cr_assert_eq(link_recv(link, &msg, &extra, arena), ERR_OK);
    cr_assert_eq(msg.kind, MSG_WEB_TICKETS);
    ssize_t got = pread(extra.fds[0], keys, sizeof keys, 0);
    cr_assert_geq(got, (ssize_t)LIMIT_TICKET_KEY);
    memcpy(out, keys, LIMIT_TICKET_KEY);
    packet_extra_close(&extra);
    return (size_t)got / LIMIT_TICKET_KEY;
}

/* A worker that is told of a revocation drops its keys; new ones lie right behind it, the same for all. */
Test(revocation, brings_new_ticket_keys)
{
    struct diag diag;
    uint8_t first[LIMIT_TICKET_KEY], key[LIMIT_TICKET_KEY], other[LIMIT_TICKET_KEY];
    cr_assert_eq(tickets_begin(&broker.tickets, &diag), ERR_OK, "%s", diag.text);
    tickets_tell(&broker, &broker.processes[1]);
    cr_assert_eq(hear_tickets(first, &web[0]), 1);
    tickets_rotate(&broker, broker.tickets.rotate_at);
    cr_assert_eq(hear_tickets(key, &web[0]), 2);
    cr_assert_eq(hear_tickets(other, &web[1]), 2);
    cr_assert_eq(memcmp(key, other, sizeof key), 0);

    uint64_t id = lend(0);
    say((struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = id});
    for (uint32_t i = 0; i < WORKERS; i++) {
        answer_web(i, id, 0);
        cr_assert_eq(hear_tickets(i == 0 ? key : other, &web[i]), 1, "none of those before");
    }
    cr_assert_eq(memcmp(key, other, sizeof key), 0);
    cr_assert_neq(memcmp(key, first, sizeof key), 0);
    close_handle(id);
    for (uint32_t i = 0; i < WORKERS; i++) {
        answer_web(i, id, 0);
        cr_assert_eq(hear_tickets(other, &web[i]), 1, "it has dropped them once more");
        cr_assert_eq(memcmp(key, other, sizeof key), 0);
    }
    expect_done(0);
}
