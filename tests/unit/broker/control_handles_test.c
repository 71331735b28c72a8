/* Handles over the control socket: minted, derived, listed. keyd is played by the test. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"
#include "broker/listener.h"

static struct broker broker;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;
static struct codec_arena *arena;
static struct link asker, keyd; /* keyd's own end */

static void serve(void)
{
    struct pollfd rows[1 + CONTROL_CLIENTS];
    size_t num = control_polls(&broker.control, rows);
    if (poll(rows, num, 0) > 0) control_serve(&broker, rows, num);
}

static struct link dial(void)
{
    struct link link = {
        .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0), .role = LINK_CONTROL, .end = LINK_LOWER};
    cr_assert_eq(connect(link.fd, (struct sockaddr *)&address, address_len), 0);
    serve();
    return link;
}

static void set_up(void)
{
    static struct resources resources;
    static const uint8_t der[] = {0x30, 0x00};
    int ends[2];
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    /* An abstract name of the kernel's choice. */
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    cr_assert_eq(listen(fd, 64), 0);
    address_len = sizeof address;
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &address_len), 0);
    broker.resources = &resources;
    broker.max_handles = LIMIT_GRANTS;
    broker.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    process_init(&broker.processes[broker.num_processes++], PROGRAM_KEYD, 0);
    control_init(&broker.control, fd, geteuid());
    cr_assert_eq(listener_cookie(&broker.host_cookie, fd), ERR_OK);
    arena = codec_arena_new(LIMIT_DECODE_ARENA);

    cr_assert_eq(channel_pair(ends), ERR_OK);
    keyd = (struct link){.fd = ends[1], .role = LINK_BROKER_KEYD, .end = LINK_LOWER};
    broker_keyd(&broker)->link = (struct link){.fd = ends[0], .role = LINK_BROKER_KEYD, .end = LINK_UPPER};
    broker_keyd(&broker)->life.state = LIFE_RUNNING;
    broker.identity.present = true;
    broker.identity.value.client = broker.identity.value.ca = (struct bytes){der, sizeof der};
    asker = dial();
}

TestSuite(control_handles, .init = set_up, .timeout = 30);

static void say(const struct link *link, struct msg question)
{
    question.id = 77;
    cr_assert_eq(link_send(link, &question, NULL, 0), ERR_OK);
    serve();
}

static struct msg hear(const struct link *link, struct packet_extra *extra)
{
    struct msg answer;
    cr_assert_eq(link_recv(link, &answer, extra, arena), ERR_OK);
    return answer;
}

static struct msg ask(struct msg question)
{
    struct packet_extra extra;
    say(&asker, question);
    struct msg answer = hear(&asker, &extra);
    cr_assert_eq(answer.id, 77);
    packet_extra_close(&extra);
    return answer;
}

/* What keyd is told next; its end of the channel is closed. */
static struct keyd_grant next_grant(void)
{
    struct packet_extra extra;
    struct msg msg = hear(&keyd, &extra);
    cr_assert_eq(msg.kind, MSG_KEYD_GRANT);
    packet_extra_close(&extra);
    return msg.keyd_grant;
}

static uint64_t mint(uint32_t rate, bool pinned)
{
    struct msg answer = ask((struct msg){.kind = MSG_HANDLE_MINT,
                                         .handle_mint = {.label = "whole",
                                                         .lifetime_s = 60,
                                                         .max_signatures = 10,
                                                         .server = "localhost",
                                                         .rate = rate,
                                                         .pinned = pinned}});
    cr_assert_eq(answer.kind, MSG_HANDLE_MINTED, "%s", msg_kind_name(answer.kind));
    return answer.handle_minted.handle;
}

static void tell(uint64_t grant, enum grant_event what, enum refusal reason)
{
    const struct msg event = {.kind = MSG_KEYD_EVENT,
                              .keyd_event = {.grant = grant, .what = what, .reason = reason, .count = 1}};
    keyd_answer(&broker, broker_keyd(&broker), &event);
}

static struct msg restrict_of(uint64_t parent)
{
    return (struct msg){.kind = MSG_HANDLE_RESTRICT, .handle_restrict = {.parent = parent, .max_signatures = 3}};
}

/* Asks for a part and returns its number, which keyd was told and has said nothing about. */
static uint64_t ask_for_part(uint64_t parent)
{
    struct msg answer;
    struct packet_extra extra;
    say(&asker, restrict_of(parent));
    cr_assert_eq(link_recv(&asker, &answer, &extra, arena), ERR_AGAIN, "it does not wait for keyd");
    const struct keyd_grant terms = next_grant();
    cr_assert_eq(terms.parent, parent);
    return terms.grant;
}

static void expect_failed(enum err err, const char *text)
{
    struct packet_extra extra;
    struct msg answer = hear(&asker, &extra);
    cr_assert_eq(answer.kind, MSG_FAILED, "%s", msg_kind_name(answer.kind));
    cr_assert_eq(answer.failed.error, err);
    cr_assert_not_null(strstr(answer.failed.text, text), "%s", answer.failed.text);
}

Test(control_handles, mints_on_the_terms_that_were_asked)
{
    uint64_t id = mint(5, false);
    struct keyd_grant terms = next_grant();
    cr_assert_eq(terms.grant, id);
    cr_assert_eq(terms.rate, 5);
    cr_assert_eq(terms.pid, 0);
    cr_assert_eq(terms.parent, 0);
    cr_assert_eq(terms.max_signatures, 10);
    cr_assert_str_eq(terms.server, "localhost");
    mint(0, false);
    cr_assert_eq(next_grant().rate, HANDLE_RATE, "none is without");
    mint(0, true);
    cr_assert_eq(next_grant().pid, (uint32_t)getpid(), "pinned to whom the kernel names");
}

Test(control_handles, derives_when_keyd_has_agreed)
{
    struct packet_extra extra;
    uint64_t whole = mint(5, false);
    next_grant();
    uint64_t part = ask_for_part(whole);
    tell(part, GRANT_EVENT_OPENED, REFUSAL_NONE);
    struct msg answer = hear(&asker, &extra);
    cr_assert_eq(answer.kind, MSG_HANDLE_MINTED);
    cr_assert_eq(answer.handle_minted.handle, part);
    cr_assert_eq(extra.num_fds, 1);
    packet_extra_close(&extra);

    answer = ask((struct msg){.kind = MSG_HANDLE_LIST_QUERY});
    cr_assert_eq(answer.handle_list.total, 2);
    const struct handle_status *row = &answer.handle_list.handles[1];
    cr_assert_eq(row->handle, part);
    cr_assert_eq(row->parent, whole);
    cr_assert_eq(row->max_signatures, 3);
    cr_assert_eq(row->rate, 5);
    cr_assert_str_eq(row->server, "localhost");
    cr_assert_str_eq(row->label, "whole");
    cr_assert_gt(row->expires_in_s, 0);
    tell(part, GRANT_EVENT_SIGNED, REFUSAL_NONE);
    cr_assert_eq(handles_find(&broker.handles, whole)->signatures, 1, "a part's use is one of the whole's");
    cr_assert_eq(handles_find(&broker.handles, part)->signatures, 1);
}

Test(control_handles, tells_what_keyd_refuses)
{
    uint64_t whole = mint(5, false);
    next_grant();
    uint64_t part = ask_for_part(whole);
    tell(part, GRANT_EVENT_CLOSED, REFUSAL_STRONGER);
    expect_failed(ERR_INPUT, "stronger");
    cr_assert_null(handles_find(&broker.handles, part));
    cr_assert_not_null(handles_find(&broker.handles, whole));
    part = ask_for_part(whole);
    tell(part, GRANT_EVENT_CLOSED, REFUSAL_PARAMETERS);
    expect_failed(ERR_DENIED, "gone");
    part = ask_for_part(whole);
    tell(part, GRANT_EVENT_CLOSED, REFUSAL_EXPIRED);
    expect_failed(ERR_DENIED, "expired");
}

Test(control_handles, derives_one_at_a_time)
{
    uint64_t whole = mint(5, false);
    next_grant();
    uint64_t part = ask_for_part(whole);
    say(&asker, restrict_of(whole));
    expect_failed(ERR_AGAIN, "wait for it");
    tell(part, GRANT_EVENT_OPENED, REFUSAL_NONE);
    struct packet_extra extra;
    cr_assert_eq(hear(&asker, &extra).kind, MSG_HANDLE_MINTED);
    packet_extra_close(&extra);
    ask_for_part(whole);
}

Test(control_handles, derives_from_lent_handles_alone)
{
    const struct keyd_grant worker = {.purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    uint64_t id = handles_add(&broker.handles, &worker, 0)->id;
    say(&asker, restrict_of(id));
    expect_failed(ERR_NOT_FOUND, "there is none");
    say(&asker, restrict_of(99));
    expect_failed(ERR_NOT_FOUND, "handle 99");
    say(&asker, restrict_of(0));
    expect_failed(ERR_NOT_FOUND, "handle 0");
}

Test(control_handles, derives_so_deep)
{
    struct packet_extra extra;
    uint64_t id = mint(5, false);
    next_grant();
    for (unsigned i = 0; i < LIMIT_GRANT_DEPTH; i++) {
        id = ask_for_part(id);
        tell(id, GRANT_EVENT_OPENED, REFUSAL_NONE);
        cr_assert_eq(hear(&asker, &extra).kind, MSG_HANDLE_MINTED);
        packet_extra_close(&extra);
    }
    say(&asker, restrict_of(id));
    expect_failed(ERR_INPUT, "as deep as it goes");
}

Test(control_handles, whoever_hangs_up_gets_nothing)
{
    uint64_t whole = mint(5, false);
    next_grant();
    uint64_t part = ask_for_part(whole);
    int end = broker.control.clients[0].derived_end;
    close(asker.fd);
    serve();
    cr_assert_eq(fcntl(end, F_GETFD), -1, "its end is left open");
    tell(part, GRANT_EVENT_OPENED, REFUSAL_NONE);
    tell(part, GRANT_EVENT_CLOSED, REFUSAL_NONE);
    cr_assert_null(handles_find(&broker.handles, part));
}

Test(control_handles, nobody_waits_for_a_keyd_that_is_gone)
{
    uint64_t whole = mint(5, false);
    next_grant();
    ask_for_part(whole);
    keyd_ended(&broker);
    expect_failed(ERR_AGAIN, "keyd has ended");
    cr_assert_eq(broker.handles.num, 0);
}

Test(control_handles, a_revoked_handle_takes_its_parts_along)
{
    struct packet_extra extra;
    uint64_t whole = mint(5, false);
    next_grant();
    uint64_t part = ask_for_part(whole);
    tell(part, GRANT_EVENT_OPENED, REFUSAL_NONE);
    cr_assert_eq(hear(&asker, &extra).kind, MSG_HANDLE_MINTED);
    say(&asker, (struct msg){.kind = MSG_HANDLE_REVOKE, .handle_revoke = whole});
    struct msg told = hear(&keyd, &extra);
    cr_assert_eq(told.kind, MSG_KEYD_REVOKE);
    cr_assert_eq(told.keyd_revoke, whole);
    tell(whole, GRANT_EVENT_CLOSED, REFUSAL_REVOKED);
    cr_assert_eq(hear(&asker, &extra).kind, MSG_DONE);
    cr_assert_eq(broker.handles.num, 0);
    tell(part, GRANT_EVENT_CLOSED, REFUSAL_NONE);
}

/* keyd may have opened it, or not: it says that it is closed, and the broker has forgotten it already. */
Test(control_handles, what_is_revoked_while_it_is_made_is_not_waited_for)
{
    struct packet_extra extra;
    struct link other = dial();
    struct msg revoke = {.kind = MSG_HANDLE_REVOKE};
    uint64_t whole = mint(5, false);
    next_grant();
    uint64_t part = ask_for_part(whole);
    revoke.handle_revoke = whole;
    say(&other, revoke);
    tell(whole, GRANT_EVENT_CLOSED, REFUSAL_REVOKED);
    cr_assert_eq(hear(&other, &extra).kind, MSG_DONE);
    tell(part, GRANT_EVENT_OPENED, REFUSAL_NONE);
    tell(part, GRANT_EVENT_CLOSED, REFUSAL_NONE);
    expect_failed(ERR_DENIED, "gone");
}

/* Who holds a part of the browser's handle is not the shim, and does not answer for it. */
Test(control_handles, a_part_that_is_cut_costs_nobody_else)
{
    struct process *shim = &broker.processes[broker.num_processes++];
    process_init(shim, PROGRAM_SHIM, 0);
    shim->life.state = LIFE_RUNNING;
    shim->pid = 0;
    const struct keyd_grant browsers = {.purpose = PURPOSE_BROWSER_DIGEST, .label = "browser"};
    broker.browser.handle = handles_add(&broker.handles, &browsers, 0)->id;
    uint64_t part = ask_for_part(broker.browser.handle);
    tell(part, GRANT_EVENT_OPENED, REFUSAL_NONE);
    tell(part, GRANT_EVENT_CUT, REFUSAL_MALFORMED);
    cr_assert_eq(shim->life.state, LIFE_RUNNING);
    cr_assert_null(handles_find(&broker.handles, part));
    cr_assert_neq(broker.browser.handle, 0);
    tell(broker.browser.handle, GRANT_EVENT_CUT, REFUSAL_MALFORMED);
    cr_assert_neq(shim->life.state, LIFE_RUNNING, "its own is");
}

Test(control_handles, gives_out_no_more_than_keyd_can_hold)
{
    broker.max_handles = 2;
    mint(0, false);
    mint(0, false);
    struct msg answer = ask(
        (struct msg){.kind = MSG_HANDLE_MINT, .handle_mint = {.label = "x", .lifetime_s = 60, .server = "localhost"}});
    cr_assert_eq(answer.kind, MSG_FAILED);
    cr_assert_eq(answer.failed.error, ERR_TOO_LARGE);
    cr_assert_not_null(strstr(answer.failed.text, "2 of 2, which is what keyd may have open"), "%s",
                       answer.failed.text);
}

Test(control_handles, lists_page_by_page)
{
    const struct keyd_grant terms = {.purpose = PURPOSE_TLS_CLIENT, .label = "x", .server = "localhost"};
    const struct keyd_grant worker = {.purpose = PURPOSE_TLS_SERVER, .label = "web[0]"};
    handles_add(&broker.handles, &worker, 0);
    for (size_t i = 0; i < 2 * LIMIT_HANDLE_PAGE + 5; i++) handles_add(&broker.handles, &terms, 0);
    handles_remove(&broker.handles, 10);
    size_t seen = 0;
    uint64_t last = 0;
    static const size_t pages[] = {LIMIT_HANDLE_PAGE, LIMIT_HANDLE_PAGE, 4, 0};
    for (size_t i = 0; i < 4; i++) {
        struct msg answer = ask((struct msg){.kind = MSG_HANDLE_LIST_QUERY, .handle_list_query = last});
        cr_assert_eq(answer.kind, MSG_HANDLE_LIST);
        cr_assert_eq(answer.handle_list.total, 2 * LIMIT_HANDLE_PAGE + 4);
        cr_assert_eq(answer.handle_list.num_handles, pages[i]);
        for (size_t j = 0; j < pages[i]; j++) {
            cr_assert_gt(answer.handle_list.handles[j].handle, last);
            last = answer.handle_list.handles[j].handle;
            seen++;
        }
    }
    cr_assert_eq(seen, 2 * LIMIT_HANDLE_PAGE + 4, "a web worker's channel is no handle");
}

Test(control_handles, a_status_shows_the_first_and_says_how_many)
{
    const struct keyd_grant terms = {.purpose = PURPOSE_TLS_CLIENT, .label = "x", .server = "localhost"};
    cr_assert_eq(procfs_open(&broker.procfs, broker.control.listener, NULL), ERR_OK);
    for (size_t i = 0; i < 10000; i++) handles_add(&broker.handles, &terms, 0);
    broker_keyd(&broker)->life.state = LIFE_DOWN; /* nobody is asked */
    struct msg answer = ask((struct msg){.kind = MSG_SYSTEM_STATUS_QUERY});
    cr_assert_eq(answer.kind, MSG_SYSTEM_STATUS);
    cr_assert_eq(answer.system_status.num_handles, LIMIT_STATUS_HANDLES);
    cr_assert_eq(answer.system_status.total_handles, 10000);
}
