/* A system's status, for people and for programs. */
#ifndef KEYWARD_BROKER_PRINT_H
#define KEYWARD_BROKER_PRINT_H

#include <stdio.h>

#include "base/err.h"
#include "proto/message.h"

void print_status(FILE *out, const struct system_status *status);
void print_handles(FILE *out, const struct system_status *status);

/* The JSON of --json: keys are the names of the fields in proto/message.h; times are seconds since the epoch.
 * ERR_MEMORY. */
MUST_CHECK enum err print_status_json(FILE *out, const struct system_status *status);
MUST_CHECK enum err print_handles_json(FILE *out, const struct system_status *status);

#endif
