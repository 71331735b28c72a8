#include "broker/life.h"

#include "base/limits.h"

uint32_t life_backoff_ms(uint32_t failures)
{
    uint32_t wait = LIFE_BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < failures && wait < LIFE_BACKOFF_MAX_MS; i++) wait *= 2;
    return wait < LIFE_BACKOFF_MAX_MS ? wait : LIFE_BACKOFF_MAX_MS;
}

static void change_state(struct life *life, enum life_state state, uint64_t deadline)
{
    life->state = state;
    life->deadline = deadline;
}

uint32_t life_restarts(const struct life *life)
{
    return life->starts > 0 ? life->starts - 1 : 0;
}

void life_started(struct life *life, uint64_t now)
{
    life->starts++;
    life->ready_since = 0;
    change_state(life, LIFE_STARTING, now + DEADLINE_START_MS);
}

void life_ready(struct life *life, uint64_t now)
{
    if (life->state != LIFE_STARTING) return;
    life->ready_since = now;
    change_state(life, LIFE_RUNNING, 0);
}

uint32_t life_ended(struct life *life, uint64_t now)
{
    if (life->final) {
        change_state(life, LIFE_DOWN, 0);
        return 0;
    }
    bool healthy = life->ready_since != 0 && now - life->ready_since >= LIFE_HEALTHY_MS;
    life->failures = healthy ? 1 : life->failures + 1;
    life->ready_since = 0;
    uint32_t wait = life_backoff_ms(life->failures);
    change_state(life, LIFE_BACKING_OFF, now + wait);
    return wait;
}

void life_stop(struct life *life, enum life_after after, uint64_t now, uint32_t grace_ms)
{
    if (after == LIFE_STAYS_DOWN) life->final = true;
    switch (life->state) {
    case LIFE_DOWN: break;
    case LIFE_BACKING_OFF:
        if (life->final) change_state(life, LIFE_DOWN, 0);
        break;
    case LIFE_STARTING:
    case LIFE_RUNNING:
    case LIFE_STOPPING: change_state(life, LIFE_STOPPING, now + grace_ms); break;
    case LIFE_KILLED: break;
    }
}

enum life_action life_doom(struct life *life)
{
    switch (life->state) {
    case LIFE_STARTING:
    case LIFE_RUNNING:
    case LIFE_STOPPING: change_state(life, LIFE_KILLED, 0); return LIFE_KILL;
    case LIFE_DOWN:
    case LIFE_BACKING_OFF:
    case LIFE_KILLED: break;
    }
    return LIFE_NOTHING;
}

enum life_action life_due(struct life *life, uint64_t now)
{
    if (life->deadline == 0 || now < life->deadline) return LIFE_NOTHING;
    switch (life->state) {
    case LIFE_BACKING_OFF: life->deadline = 0; return LIFE_START;
    case LIFE_STARTING:
    case LIFE_STOPPING: return life_doom(life);
    case LIFE_DOWN:
    case LIFE_RUNNING:
    case LIFE_KILLED: break;
    }
    return LIFE_NOTHING;
}

void life_reset(struct life *life)
{
    *life = (struct life){.starts = life->starts};
}
