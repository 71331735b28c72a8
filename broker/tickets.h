/* The keys of session tickets. The broker makes them, so that all web workers have the same, and replaces them: one is used for
 * LIMIT_TICKET_KEY_S and known for as long again, and at any revocation all that were are gone. They are secret: in locked memory
 * that no core has, given away in a file that has no name, never logged. They are none of the PKI's keys, which are keyd's. */
#ifndef KEYWARD_BROKER_TICKETS_H
#define KEYWARD_BROKER_TICKETS_H

#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

struct broker;
struct process;
struct ticket_keys;

/* Zero state: no resumption; everything below does nothing. */
struct tickets {
    struct ticket_keys *keys;
    uint64_t rotate_at; /* on clock_monotonic_ms's scale */
};

/* tickets_begin makes the first key. Before the sandbox. ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err tickets_begin(struct tickets *tickets, struct diag *diag);

/* tickets_replace makes a new key, and keeps none of those before. The workers drop theirs by themselves (WEB_REVOKE). */
void tickets_replace(struct tickets *tickets);

/* tickets_tell gives the worker the keys that there are now. */
void tickets_tell(struct broker *broker, struct process *web);

/* tickets_rotate makes a new key when it is time, keeps the one before, and tells all workers. */
void tickets_rotate(struct broker *broker, uint64_t now);

/* tickets_file returns a file of the keys as WEB_TICKETS brings it, or -1. */
int tickets_file(const struct tickets *tickets);

#endif
