/* The table of channels beside a queue of events that is full. */
#include "keyd/channel_table.h"

#include <criterion/criterion.h>
#include <ev.h>
#include <unistd.h>

#include "base/clock.h"
#include "keyd/events.h"
#include "tests/unit/keep.h"

static struct events events;
static struct channel_table *table;

static void notify(void *context)
{
    (void)context;
}

static void set_up(void)
{
    static const struct keyd_setup setup = {.dns_names = {"localhost"},
                                            .num_dns_names = 1,
                                            .ca_lifetime_s = 3600,
                                            .leaf_lifetime_s = 3600,
                                            .client_name = "client"};
    static struct keystore *keystore;
    struct ev_loop *loop = keep(ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL));
    cr_assert_eq(keystore_new(&keystore, &setup, clock_wall_s(), NULL), ERR_OK);
    table = keep(channel_table_new(loop, &events, notify, NULL));
    cr_assert_not_null(table);
    cr_assert_eq(channel_table_serve(table, 1, keystore), ERR_OK);
}

TestSuite(channel_table, .init = set_up);

/* The other end of a new channel. */
static int grant(uint64_t number, uint64_t parent)
{
    int ends[2];
    const struct keyd_grant terms = {
        .grant = number, .purpose = PURPOSE_TLS_CLIENT, .label = "test", .server = "localhost", .parent = parent};
    cr_assert_eq(channel_pair(ends), ERR_OK);
    channel_table_grant(table, &terms, ends[1]);
    return ends[0];
}

static const struct keyd_event *newest(void)
{
    cr_assert_gt(events.num, 0);
    return &events.queue[(events.first + events.num - 1) % LIMIT_KEYD_EVENTS].event;
}

static size_t total(void)
{
    struct keyd_status status;
    channel_table_status(table, &status);
    return status.total;
}

/* Fills what there is for uses of handles, on channels that are not there. */
static void fill(size_t up_to)
{
    for (uint64_t number = 1000; events.num < up_to; number++) {
        const struct keyd_event event = {.grant = number, .what = GRANT_EVENT_SIGNED};
        events_add(&events, &event);
    }
}

Test(channel_table, derives_nothing_that_the_broker_cannot_be_told_of)
{
    const size_t room = LIMIT_KEYD_EVENTS / 2;
    grant(1, 0);
    fill(room - 1);
    grant(2, 1);
    cr_assert_eq(newest()->grant, 2);
    cr_assert_eq(newest()->what, GRANT_EVENT_OPENED);
    cr_assert_eq(events.num, room);
    const int refused = grant(3, 1);
    cr_assert_eq(newest()->grant, 3);
    cr_assert_eq(newest()->what, GRANT_EVENT_CLOSED);
    cr_assert_eq(newest()->reason, REFUSAL_BUSY);
    char byte;
    cr_assert_eq(read(refused, &byte, 1), 0, "it is still open");
    cr_assert_eq(total(), 2);
    grant(4, 0); /* what nobody waits for is served all the same */
    cr_assert_eq(total(), 3);
}

/* The broker may wait for it, and have dropped the handle in the moment in which it ended. */
Test(channel_table, the_end_of_what_is_not_there_is_told)
{
    channel_table_revoke(table, 7);
    cr_assert_eq(events.num, 1);
    cr_assert_eq(newest()->grant, 7);
    cr_assert_eq(newest()->what, GRANT_EVENT_CLOSED);
}

static enum refusal last_word(uint32_t lifetime_s)
{
    static uint64_t number = 100;
    int ends[2];
    struct msg told;
    struct packet_extra extra;
    const struct keyd_grant terms = {.grant = ++number,
                                     .purpose = PURPOSE_TLS_CLIENT,
                                     .label = "test",
                                     .server = "localhost",
                                     .lifetime_s = lifetime_s};
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    cr_assert_eq(channel_pair(ends), ERR_OK);
    channel_table_grant(table, &terms, ends[1]);
    channel_table_revoke(table, number);
    const struct link holder = {.fd = ends[0], .role = LINK_SIGN_CLIENT, .end = LINK_LOWER};
    cr_assert_eq(link_recv(&holder, &told, &extra, arena), ERR_OK);
    cr_assert_eq(told.kind, MSG_REFUSAL);
    const enum refusal refusal = told.refusal;
    codec_arena_free(arena);
    close(ends[0]);
    return refusal;
}

/* Whoever ends it: what is over with its time is not called revoked. */
Test(channel_table, a_holder_is_told_what_its_handle_ended_of)
{
    cr_assert_eq(last_word(0), REFUSAL_REVOKED);
    cr_assert_eq(last_word(60), REFUSAL_REVOKED);
    cr_assert_eq(last_word(1), REFUSAL_EXPIRED);
}

/* A family of as many as there may be ends at once, and each end has its event. */
Test(channel_table, every_descendants_end_is_told)
{
    enum { CHILDREN = 300 };
    grant(1, 0);
    for (uint64_t number = 2; number < 2 + CHILDREN; number++) grant(number, number % 2 == 0 ? 1 : number - 1);
    cr_assert_eq(total(), 1 + CHILDREN);
    cr_assert_eq(events.num, CHILDREN);
    events.num = events.first = 0;
    channel_table_revoke(table, 1);
    cr_assert_eq(total(), 0);
    bool told[2 + CHILDREN] = {false};
    for (size_t i = 0; i < events.num; i++) {
        const struct keyd_event *event = &events.queue[i].event;
        if (event->grant == 1) continue;
        cr_assert_eq(event->what, GRANT_EVENT_CLOSED);
        cr_assert_not(told[event->grant]);
        told[event->grant] = true;
    }
    for (uint64_t number = 2; number < 2 + CHILDREN; number++) cr_assert(told[number], "%d", (int)number);
}
