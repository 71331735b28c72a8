/* Sees that the other processes do their work, not only that they live: each is asked now and then, and who does not answer
 * is replaced. Without the spawner nothing can be: then the broker itself ends, and all with it (docs/adr/0030). */
#ifndef KEYWARD_BROKER_WATCHDOG_H
#define KEYWARD_BROKER_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct msg;
struct process;

/* Zero state: at rest. */
struct watchdog {
    uint64_t deadline; /* of the next round, or of the answers to this one; 0: at rest */
    uint64_t begun;    /* when this round did */
    uint64_t round;    /* the id of the PINGs that are out; 0: none are */
    bool spawner_owes; /* an answer */
};

/* watchdog_begin begins to ask; watchdog_rest does not ask or judge any more. */
void watchdog_begin(struct broker *broker, uint64_t now);
void watchdog_rest(struct broker *broker);

/* watchdog_act does what is due. */
void watchdog_act(struct broker *broker, uint64_t now);

/* watchdog_note_pong takes a process's answer, NULL: the spawner's. What answers no question of now is ignored. */
void watchdog_note_pong(struct broker *broker, struct process *process, const struct msg *pong);

#endif
