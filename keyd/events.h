/* What the broker is told about channels. A bounded queue, so that a broker which does not read never holds up a
 * signature.
 *
 * Room is kept for what matters more: refusals, which a peer can cause at will, may fill a quarter of it; uses of a
 * handle half of it (beyond, a handle is not served at all, because each of its uses has to be on record); the rest is
 * for channels that end. Of uses and refusals of one channel no more than LIMIT_KEYD_EVENTS_EACH wait, so that whoever
 * uses a handle faster than the broker can hear of it has only that handle refused. The same refusal of the same sender,
 * again and again, is one event with a count. What does not fit is counted. */
#ifndef KEYWARD_KEYD_EVENTS_H
#define KEYWARD_KEYD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number_table.h"
#include "proto/link.h"

struct event_waiting {
    struct keyd_event event;
    uint32_t num; /* how many of its channel wait; kept with the newest of them alone */
};

struct events {
    struct event_waiting queue[LIMIT_KEYD_EVENTS];
    size_t first;
    size_t num;
    uint64_t lost; /* since the last log line about it */
    uint64_t lost_all;
    struct number_table newest; /* where in the queue a channel's newest event is */
};

/* events_have_room says whether the use of the grant's handle could be reported now. */
bool events_have_room(const struct events *events, uint64_t grant);

/* events_add queues an event, or counts it as lost. */
void events_add(struct events *events, const struct keyd_event *event);

/* events_send sends what is queued. ERR_AGAIN: there is more; try again when broker is writable. ERR_CLOSED and others:
 * the broker is gone. */
MUST_CHECK enum err events_send(struct events *events, const struct link *broker);

#endif
