/* A system's status, for people and for programs. */
#ifndef KEYWARD_BROKER_PRINT_H
#define KEYWARD_BROKER_PRINT_H

#include <stdio.h>

#include "base/err.h"
#include "proto/message.h"

/* A list of handles comes in pages; what stands above it belongs to the first. */
enum print_page { PRINT_FIRST_PAGE, PRINT_NEXT_PAGE };

void print_status(FILE *out, const struct system_status *status);
void print_handles(FILE *out, const struct handle_status *handles, size_t num, enum print_page page);

/* The JSON of --json: keys are the names of the fields in proto/message.h; times are seconds since the epoch.
 * ERR_MEMORY. The list is one array over all its pages, which print_handles_json_end closes. */
MUST_CHECK enum err print_status_json(FILE *out, const struct system_status *status);
MUST_CHECK enum err print_handles_json(FILE *out, const struct handle_status *handles, size_t num,
                                       enum print_page page);
void print_handles_json_end(FILE *out);

#endif
