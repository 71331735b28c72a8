/* Revoking: what has to happen before an operator is told that it is done.
 *
 * keyd is told at once, and says when it has closed the handle; each web worker is told at once, and says how many
 * connections it has ended. A handshake that keyd signed for in its last moment is not missed: when keyd has closed the handle
 * its last word about it (CLIENT_BOUND) lies in the workers' channels, so then they are asked once more. Who does not answer
 * within DEADLINE_REVOKE_MS is replaced, and with it goes what it still had.
 *
 * Serial numbers of certificates are kept as long as the broker runs, and told to each new worker before it has a listener. */
#ifndef KEYWARD_BROKER_REVOCATION_H
#define KEYWARD_BROKER_REVOCATION_H

#include "broker/control.h"
#include "proto/message.h"

/* How many can be under way. */
#define REVOCATIONS 16u

struct process;

struct revocation {
    uint64_t id;       /* of the questions to the workers; 0: free */
    char subject[64];  /* "handle 7" */
    bool is_past;      /* the handle was not there any more: at most its connections are */
    uint64_t *handles; /* those that keyd has yet to close first */
    size_t num_handles;
    size_t num_open;
    uint32_t waits[LIMIT_PROCESSES]; /* answers that are out, by the process's place */
    uint64_t connections;
    uint64_t begun;
    struct control_ticket ticket;
};

struct revoked_certificate {
    uint8_t serial[LIMIT_SERIAL];
    size_t len;
};

/* Zero state: none. */
struct revocations {
    struct revocation rows[REVOCATIONS];
    struct revoked_certificate certificates[LIMIT_REVOKED_SERIALS];
    size_t num_certificates;
};

/* revocation_handle and revocation_certificate begin one, and answer the ticket when it is done, or at once if it cannot be. */
void revocation_handle(struct broker *broker, struct control_ticket ticket, uint64_t handle);
void revocation_certificate(struct broker *broker, struct control_ticket ticket, struct bytes serial);

/* revocation_note_closed: keyd has closed this handle, for whatever reason. revocation_note_keyd_gone: all of them. */
void revocation_note_closed(struct broker *broker, uint64_t handle);
void revocation_note_keyd_gone(struct broker *broker);

/* revocation_note_answer takes a worker's WEB_REVOKED. revocation_note_web_gone: it will not answer, and has no connections. */
void revocation_note_answer(struct broker *broker, const struct process *web, const struct msg *msg);
void revocation_note_web_gone(struct broker *broker, const struct process *web);

/* revocation_introduce tells a new worker which certificates are revoked. */
void revocation_introduce(struct broker *broker, struct process *web);

/* revocation_deadline returns the next one, 0 if there is none; revocation_expire acts on those that are over. */
uint64_t revocation_deadline(const struct broker *broker);
void revocation_expire(struct broker *broker, uint64_t now);

#endif
