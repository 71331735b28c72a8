/* The web workers of one configuration: started beside those that are at work, put in their place, retired. */
#ifndef KEYWARD_BROKER_GENERATION_H
#define KEYWARD_BROKER_GENERATION_H

#include "base/err.h"
#include "broker/reload.h"

/* generation_start starts the workers of a setting that is not in force; they get no listening sockets. ERR_AGAIN: too many workers
 * of earlier ones are still at work. */
MUST_CHECK enum err generation_start(struct broker *broker, struct setting *setting);

/* generation_is_ready says whether all of them are. */
bool generation_is_ready(const struct broker *broker, const struct setting *setting);

/* generation_end gives its workers up. The setting goes with the last of them. */
void generation_end(struct broker *broker, struct setting *setting);

/* generation_settle puts the setting in force: its workers begin to accept, those before them retire. */
void generation_settle(struct broker *broker, struct setting *setting);

/* generation_note_gone makes the place of a worker that does not come back free, and lets go of settings that nobody uses. */
void generation_note_gone(struct broker *broker, struct process *web);

/* generation_sweep lets go of settings that nobody uses any more. */
void generation_sweep(struct broker *broker);

/* generation_add takes a free place for a worker of the setting in force, at the start; NULL: there is none. */
struct process *generation_add(struct broker *broker);

#endif
