#include "keyd/events.h"

#include "base/log.h"

#define ROOM_REFUSALS (LIMIT_KEYD_EVENTS / 4)
#define ROOM_USES (LIMIT_KEYD_EVENTS / 2)

/* The newest event of the channel that waits; NULL: none does. */
static struct event_waiting *events_newest(struct events *events, uint64_t grant)
{
    const uint32_t place = number_table_find(&events->newest, grant);
    return place != NUMBER_TABLE_NONE ? &events->queue[place] : NULL;
}

/* Whether the channel has as many events in the queue as one may have. */
static bool events_are_many(const struct events *events, uint64_t grant)
{
    const uint32_t place = number_table_find(&events->newest, grant);
    return place != NUMBER_TABLE_NONE && events->queue[place].num >= LIMIT_KEYD_EVENTS_EACH;
}

bool events_have_room(const struct events *events, uint64_t grant)
{
    return events->num < ROOM_USES && !events_are_many(events, grant);
}

static size_t events_room(enum grant_event what)
{
    switch (what) {
    case GRANT_EVENT_REFUSED: return ROOM_REFUSALS;
    case GRANT_EVENT_OPENED:
    case GRANT_EVENT_PINNED:
    case GRANT_EVENT_SIGNED: return ROOM_USES;
    case GRANT_EVENT_CLOSED:
    case GRANT_EVENT_CUT: return LIMIT_KEYD_EVENTS;
    case GRANT_EVENT_NONE:
    case GRANT_EVENT_NUM: break;
    }
    return 0;
}

static bool is_same_refusal(const struct keyd_event *a, const struct keyd_event *b)
{
    return a->what == GRANT_EVENT_REFUSED && b->what == GRANT_EVENT_REFUSED && a->reason == b->reason &&
           a->pid == b->pid && a->uid == b->uid;
}

void events_add(struct events *events, const struct keyd_event *event)
{
    struct event_waiting *before = events_newest(events, event->grant);
    if (before != NULL && is_same_refusal(&before->event, event) && before->event.count < UINT32_MAX) {
        before->event.count++;
        return;
    }
    const bool is_end = event->what == GRANT_EVENT_CLOSED || event->what == GRANT_EVENT_CUT;
    if (events->num >= events_room(event->what) || (!is_end && events_are_many(events, event->grant))) {
        events->lost++;
        events->lost_all++;
        return;
    }
    const size_t place = (events->first + events->num) % LIMIT_KEYD_EVENTS;
    events->queue[place] = (struct event_waiting){.event = *event, .num = before != NULL ? before->num + 1 : 1};
    events->queue[place].event.count = 1;
    events->num++;
    number_table_put(&events->newest, event->grant, (uint32_t)place);
}

static void events_take_first(struct events *events)
{
    const uint64_t grant = events->queue[events->first].event.grant;
    if (--events_newest(events, grant)->num == 0) number_table_remove(&events->newest, grant);
    events->num--;
    /* From the start again where it can: the memory that was never needed is never touched. */
    events->first = events->num > 0 ? (events->first + 1) % LIMIT_KEYD_EVENTS : 0;
}

enum err events_send(struct events *events, const struct link *broker)
{
    while (events->num > 0) {
        struct msg msg;
        msg.kind = MSG_KEYD_EVENT;
        msg.id = 0;
        msg.keyd_event = events->queue[events->first].event;
        enum err err = link_send(broker, &msg, NULL, 0);
        if (err != ERR_OK) return err;
        events_take_first(events);
    }
    if (events->lost > 0)
        log_error("events lost=%llu reason='the broker did not read'", (unsigned long long)events->lost);
    events->lost = 0;
    return ERR_OK;
}
