/* The life of one thing that the broker keeps running: a process, or the browser inside the shim. A pure state
 * machine: it is told what happened and when, and says what is due. It starts and kills nothing itself. */
#ifndef KEYWARD_BROKER_LIFE_H
#define KEYWARD_BROKER_LIFE_H

#include <stdbool.h>
#include <stdint.h>

enum life_state {
    LIFE_DOWN,        /* not wanted, or not yet */
    LIFE_STARTING,    /* started, not yet ready; the deadline is DEADLINE_START_MS */
    LIFE_RUNNING,     /* ready; no deadline */
    LIFE_BACKING_OFF, /* ended; the deadline says when to start it again */
    LIFE_STOPPING,    /* told to stop; the deadline says when it is killed */
    LIFE_KILLED,      /* killed; it has to end now */
};

enum life_action {
    LIFE_NOTHING,
    LIFE_START, /* back-off is over */
    LIFE_KILL,  /* it was too slow to get ready, or to stop */
};

enum {
    LIFE_BACKOFF_FIRST_MS = 100,
    LIFE_BACKOFF_MAX_MS = 10000,
    LIFE_HEALTHY_MS = 60000, /* ready for so long: earlier failures are forgotten */
};

/* Zero state: LIFE_DOWN, never started. */
struct life {
    enum life_state state;
    bool final;        /* when it ends it stays down */
    uint32_t failures; /* in a row */
    uint32_t starts;   /* since the broker started */
    uint64_t deadline; /* on clock_monotonic_ms's scale; 0: none */
    uint64_t ready_since;
};

/* life_backoff_ms returns how long to wait after the given number of failures in a row, from 1 on. */
uint32_t life_backoff_ms(uint32_t failures);

/* life_restarts returns how often it was started again. */
uint32_t life_restarts(const struct life *life);

void life_started(struct life *life, uint64_t now);
void life_ready(struct life *life, uint64_t now);

/* life_ended goes to LIFE_BACKING_OFF, or to LIFE_DOWN if it was told to stop. Returns the wait in milliseconds. */
uint32_t life_ended(struct life *life, uint64_t now);

/* life_stop says that it has been told to stop, and whether it shall come back. */
enum life_after { LIFE_STAYS_DOWN, LIFE_COMES_BACK };
void life_stop(struct life *life, enum life_after after, uint64_t now, uint32_t grace_ms);

/* life_doom gives it up: LIFE_KILL if there is something to kill. */
enum life_action life_doom(struct life *life);

/* life_due returns what is due now; after LIFE_KILL the state is LIFE_KILLED, so it is said once. */
enum life_action life_due(struct life *life, uint64_t now);

/* life_reset goes to LIFE_DOWN from wherever it is; only the number of starts is kept. */
void life_reset(struct life *life);

#endif
