/* Where a body goes: standard output, or a file that appears whole or not at all. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_OUTPUT_H
#define KEYWARD_BROWSER_SHIM_CLIENT_OUTPUT_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct client_output {
    int fd;
    int dir; /* where the file is put; -1: fd itself is where the bytes belong */
    char name[NAME_MAX + 1];
    char temporary[NAME_MAX + 1];
};

/* client_output_occupy_standard is called before anything is opened. Started with a standard descriptor closed, a program's
 * connection would take its number and get the body; what takes it now can neither be read nor written. */
MUST_CHECK enum err client_output_occupy_standard(struct diag *diag);

/* client_output_open opens path, NULL for standard output, before the sandbox. What is not a regular file (a terminal,
 * a pipe, /dev/null) is written to as it is. Cleanup with client_output_cleanup, also after an error. */
MUST_CHECK enum err client_output_open(struct client_output *out, const char *path, struct diag *diag);

MUST_CHECK enum err client_output_write(struct client_output *output, const uint8_t *data, size_t len,
                                        struct diag *diag);

/* client_output_commit puts the file in place, safe on the disk. */
MUST_CHECK enum err client_output_commit(struct client_output *output, struct diag *diag);

/* client_output_cleanup closes it; what was not committed leaves no trace. */
void client_output_cleanup(struct client_output *output);

#endif
