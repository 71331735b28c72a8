/* Reading again, while the system runs, what an operator may replace: the file of client CAs (SIGHUP, broker reload).
 *
 * All or nothing. The broker looks whether the file is PEM; one worker then judges it, as the broker reads no certificates, and only
 * when that worker uses it the others get it, and each worker that comes after. A file that is no good costs nothing: the old one
 * stays in force and the operator is told which file it is, why, and what to do. */
#ifndef KEYWARD_BROKER_RELOAD_H
#define KEYWARD_BROKER_RELOAD_H

#include "broker/control.h"
#include "proto/message.h"

struct broker;
struct process;

/* Zero state: none is under way, and what was read at the start is in force. */
struct reload {
    uint8_t *client_ca; /* in force; NULL: resources' */
    size_t client_ca_len;

    uint64_t id;   /* of the question to the workers; 0: none is under way */
    uint8_t *next; /* what the judge has; NULL: it is in force, and the others are waited for */
    size_t next_len;
    const struct process *judge;
    bool waits[LIMIT_PROCESSES]; /* answers that are out, by the process's place */
    uint64_t connections;        /* that were ended */
    uint64_t deadline;           /* 0 without one */
    bool has_ticket;
    struct control_ticket ticket;
};

/* reload_begin begins one; the ticket (NULL: a signal asked, and the log alone has the answer) is answered when it is done. */
void reload_begin(struct broker *broker, const struct control_ticket *ticket);

/* reload_client_ca returns the PEM text in force; empty: no such file is configured. */
struct bytes reload_client_ca(const struct broker *broker);

/* What workers say to it. reload_note_failed returns whether it was about this. */
void reload_note_answer(struct broker *broker, const struct process *web, const struct msg *msg);
bool reload_note_failed(struct broker *broker, struct process *process, const struct msg *msg);
void reload_note_web_gone(struct broker *broker, const struct process *web);

/* reload_expire gives up workers that have not answered within DEADLINE_REVOKE_MS. */
void reload_expire(struct broker *broker, uint64_t now);

#endif
