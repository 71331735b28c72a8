#include "keyd/events.h"

#include <criterion/criterion.h>
#include <unistd.h>

static struct events events;

static void add(enum grant_event what, uint64_t grant)
{
    const struct keyd_event event = {.grant = grant, .what = what, .pid = 5, .uid = 6};
    events_add(&events, &event);
}

Test(events, keeps_room_for_what_matters_more)
{
    for (unsigned i = 0; i < 2 * LIMIT_KEYD_EVENTS; i++) add(GRANT_EVENT_REFUSED, i + 1);
    cr_assert_eq(events.num, LIMIT_KEYD_EVENTS / 4, "a flood of refusals took it all");
    cr_assert_eq(events.lost, 2 * LIMIT_KEYD_EVENTS - LIMIT_KEYD_EVENTS / 4);
    uint64_t handle = 3 * LIMIT_KEYD_EVENTS;
    cr_assert(events_have_room(&events, handle));
    while (events_have_room(&events, handle)) add(GRANT_EVENT_SIGNED, handle++);
    cr_assert_eq(events.num, LIMIT_KEYD_EVENTS / 2);
    const uint64_t lost = events.lost;
    for (unsigned i = 0; i < LIMIT_KEYD_EVENTS / 2; i++) add(GRANT_EVENT_CLOSED, i + 1);
    cr_assert_eq(events.lost, lost, "an ended channel was not reported");
    add(GRANT_EVENT_CUT, 1);
    cr_assert_eq(events.lost, lost + 1);
    cr_assert_eq(events.num, LIMIT_KEYD_EVENTS);
}

Test(events, of_one_channel_leave_room_for_the_others)
{
    for (unsigned i = 0; i < 2 * LIMIT_KEYD_EVENTS_EACH; i++)
        add(i % 2 == 0 ? GRANT_EVENT_SIGNED : GRANT_EVENT_PINNED, 1);
    cr_assert_eq(events.num, LIMIT_KEYD_EVENTS_EACH);
    cr_assert_eq(events.lost, LIMIT_KEYD_EVENTS_EACH);
    cr_assert_not(events_have_room(&events, 1));
    cr_assert(events_have_room(&events, 2), "another handle is not served");
    add(GRANT_EVENT_CUT, 1);
    cr_assert_eq(events.num, LIMIT_KEYD_EVENTS_EACH + 1, "its end was not reported");
}

static void refuse(uint64_t grant, enum refusal reason, uint32_t pid)
{
    const struct keyd_event event = {.grant = grant, .what = GRANT_EVENT_REFUSED, .reason = reason, .pid = pid};
    events_add(&events, &event);
}

/* What was queued, in order: whose, and how often. */
static void expect_next(uint64_t grant, enum grant_event what, uint32_t count)
{
    const struct keyd_event *event = &events.queue[events.first].event;
    cr_assert_gt(events.num, 0);
    cr_expect_eq(event->grant, grant);
    cr_expect_eq(event->what, what);
    cr_expect_eq(event->count, count, "%u", event->count);
    events.first++;
    events.num--;
}

Test(events, counts_the_same_refusal_again_and_again)
{
    for (unsigned i = 0; i < 3 * LIMIT_KEYD_EVENTS; i++) {
        refuse(1, REFUSAL_EXPIRED, 5);
        refuse(2, REFUSAL_EXPIRED, 5);
    }
    refuse(1, REFUSAL_RATE, 5);
    refuse(1, REFUSAL_RATE, 6); /* somebody else */
    refuse(1, REFUSAL_EXPIRED, 5);
    refuse(1, REFUSAL_EXPIRED, 5);
    add(GRANT_EVENT_SIGNED, 1);
    add(GRANT_EVENT_SIGNED, 1); /* each use is on record by itself */
    refuse(1, REFUSAL_EXPIRED, 5);
    cr_assert_eq(events.lost, 0);
    cr_assert_eq(events.num, 8);
    expect_next(1, GRANT_EVENT_REFUSED, 3 * LIMIT_KEYD_EVENTS);
    expect_next(2, GRANT_EVENT_REFUSED, 3 * LIMIT_KEYD_EVENTS);
    expect_next(1, GRANT_EVENT_REFUSED, 1);
    expect_next(1, GRANT_EVENT_REFUSED, 1);
    expect_next(1, GRANT_EVENT_REFUSED, 2);
    expect_next(1, GRANT_EVENT_SIGNED, 1);
    expect_next(1, GRANT_EVENT_SIGNED, 1);
    expect_next(1, GRANT_EVENT_REFUSED, 1);
}

Test(events, count_does_not_wrap)
{
    refuse(1, REFUSAL_EXPIRED, 5);
    events.queue[0].event.count = UINT32_MAX - 1;
    refuse(1, REFUSAL_EXPIRED, 5);
    cr_assert_eq(events.num, 1);
    refuse(1, REFUSAL_EXPIRED, 5);
    cr_assert_eq(events.num, 2);
    expect_next(1, GRANT_EVENT_REFUSED, UINT32_MAX);
    expect_next(1, GRANT_EVENT_REFUSED, 1);
}

/* There is room for the end of every channel, whatever handles did before. */
Test(events, has_room_for_the_end_of_every_channel)
{
    cr_assert_geq(LIMIT_KEYD_EVENTS / 2, LIMIT_GRANTS);
}

Test(events, are_sent_in_order_and_wait_for_the_reader)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const struct link keyd = {.fd = ends[0], .role = LINK_BROKER_KEYD, .end = LINK_LOWER};
    const struct link broker = {.fd = ends[1], .role = LINK_BROKER_KEYD, .end = LINK_UPPER};
    struct codec_arena *arena = codec_arena_new(8192);
    uint64_t next_in = 1, next_out = 1;
    unsigned waits = 0;
    while (next_out <= 5 * LIMIT_KEYD_EVENTS) {
        while (events.num < LIMIT_KEYD_EVENTS) add(GRANT_EVENT_CLOSED, next_in++);
        const enum err sent = events_send(&events, &keyd);
        cr_assert(sent == ERR_OK || sent == ERR_AGAIN);
        waits += sent == ERR_AGAIN;
        struct msg msg;
        struct packet_extra extra;
        while (link_recv(&broker, &msg, &extra, arena) == ERR_OK) {
            cr_assert_eq(msg.kind, MSG_KEYD_EVENT);
            cr_assert_eq(msg.keyd_event.grant, next_out++);
            cr_assert_eq(msg.keyd_event.what, GRANT_EVENT_CLOSED);
            cr_assert_eq(msg.keyd_event.pid, 5);
            cr_assert_eq(msg.keyd_event.uid, 6);
        }
    }
    cr_assert_gt(waits, 0, "the queue never was full");
    close(ends[1]);
    add(GRANT_EVENT_CLOSED, 1);
    cr_assert_eq(events_send(&events, &keyd), ERR_CLOSED);
    codec_arena_free(arena);
}
