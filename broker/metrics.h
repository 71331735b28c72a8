/* What the system's monitors read: Prometheus's text format (version 0.0.4), and whether all is well. The broker writes the
 * words; a web worker speaks HTTP (docs/PROTOCOL.md, METRICS). */
#ifndef KEYWARD_BROKER_METRICS_H
#define KEYWARD_BROKER_METRICS_H

#include <stdio.h>

#include "proto/message.h"

/* Where the numbers come from. */
struct metrics_source {
    const char *version;
    const struct system_status *status;
    const struct web_status
        *web; /* of all workers together, those that are gone included; connections: of the living */
    const uint64_t *handle_refusals; /* REFUSAL_NUM of them, by enum refusal */
    uint64_t events_lost;
};

/* metrics_write writes every metric with its HELP and TYPE. */
void metrics_write(FILE *out, const struct metrics_source *source);

struct broker;

/* metrics_fault says in one line what is wrong: a process does not run, or did not answer when it was asked last. Empty:
 * nothing. */
void metrics_fault(char out[LIMIT_TEXT], const struct broker *broker);

/* metrics_answer sends METRICS to the workers that have asked. */
void metrics_answer(struct broker *broker, const struct system_status *status);

#endif
