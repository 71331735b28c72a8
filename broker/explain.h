/* Why handshakes failed (broker explain): each worker remembers its own (web/verdicts.h), so a question is passed on to all of them, and
 * what they answer is put together. Nothing of it is kept here. */
#ifndef KEYWARD_BROKER_EXPLAIN_H
#define KEYWARD_BROKER_EXPLAIN_H

#include "broker/control.h"
#include "proto/message.h"

struct broker;
struct process;

/* A question that is being answered. */
struct explain_round;

/* Zero state: nobody asks. */
struct explain {
    struct explain_round *rounds[CONTROL_CLIENTS]; /* by the client's place; NULL: it asks nothing */
};

/* explain_begin asks the workers; the ticket is answered when all have said what they know, or after CONTROL_ROUND_MS without
 * those who have not. */
void explain_begin(struct broker *broker, struct control_ticket ticket, const struct explain_query *query);

/* What workers say to it, or do not say any more. */
void explain_note_answer(struct broker *broker, const struct process *web, const struct msg *msg);
void explain_note_web_gone(struct broker *broker, const struct process *web);

/* explain_deadline returns the next deadline, 0 if there is none; explain_expire answers those whose deadline is over. */
uint64_t explain_deadline(const struct broker *broker);
void explain_expire(struct broker *broker, uint64_t now);

#endif
