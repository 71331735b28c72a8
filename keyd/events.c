#include "keyd/events.h"

#include "base/log.h"

#define ROOM_REFUSALS (LIMIT_KEYD_EVENTS / 4)
#define ROOM_USES (LIMIT_KEYD_EVENTS / 2)

/* Whether the channel has as many events in the queue as one may have. */
static bool events_are_many(const struct events *events, uint64_t grant)
{
    size_t num = 0;
    for (size_t i = 0; i < events->num; i++)
        num += events->queue[(events->first + i) % LIMIT_KEYD_EVENTS].grant == grant;
    return num >= LIMIT_KEYD_EVENTS_EACH;
}

bool events_have_room(const struct events *events, uint64_t grant)
{
    return events->num < ROOM_USES && !events_are_many(events, grant);
}

static size_t events_room(enum grant_event what)
{
    switch (what) {
    case GRANT_EVENT_REFUSED: return ROOM_REFUSALS;
    case GRANT_EVENT_PINNED:
    case GRANT_EVENT_SIGNED: return ROOM_USES;
    case GRANT_EVENT_CLOSED:
    case GRANT_EVENT_CUT: return LIMIT_KEYD_EVENTS;
    case GRANT_EVENT_NONE:
    case GRANT_EVENT_NUM: break;
    }
    return 0;
}

void events_add(struct events *events, const struct keyd_event *event)
{
    const bool is_end = event->what == GRANT_EVENT_CLOSED || event->what == GRANT_EVENT_CUT;
    if (events->num >= events_room(event->what) || (!is_end && events_are_many(events, event->grant))) {
        events->lost++;
        return;
    }
    events->queue[(events->first + events->num) % LIMIT_KEYD_EVENTS] = *event;
    events->num++;
}

enum err events_send(struct events *events, const struct link *broker)
{
    while (events->num > 0) {
        struct msg msg;
        msg.kind = MSG_KEYD_EVENT;
        msg.id = 0;
        msg.keyd_event = events->queue[events->first];
        enum err err = link_send(broker, &msg, NULL, 0);
        if (err != ERR_OK) return err;
        events->first = (events->first + 1) % LIMIT_KEYD_EVENTS;
        events->num--;
    }
    if (events->lost > 0)
        log_line("events lost=%llu reason='the broker did not read'", (unsigned long long)events->lost);
    events->lost = 0;
    return ERR_OK;
}
