/* How far a long transfer is, for somebody who looks at a terminal. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_PROGRESS_H
#define KEYWARD_BROWSER_SHIM_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before it, nobody wants to know. */
#define CLIENT_PROGRESS_AFTER_MS 1000u

/* Zero state: nobody looks, and nothing is shown. */
struct client_progress {
    bool is_watched;
    bool is_shown; /* there is a line to take away */
    const char *what;
    uint64_t start_ms, next_ms; /* on clock_monotonic_ms's scale */
    uint64_t done;
    uint64_t total; /* 0: not known */
};

/* client_progress_watch looks, before the sandbox, whether standard error is a terminal, and output_fd (where the body goes)
 * is none: both on one would be neither. */
void client_progress_watch(struct client_progress *progress, int output_fd);

/* client_progress_start begins with a transfer. what: "sent" or "received". */
void client_progress_start(struct client_progress *progress, const char *what, uint64_t total);

/* client_progress_add counts bytes, and shows a line on standard error now and then. */
void client_progress_add(struct client_progress *progress, uint64_t bytes);

/* client_progress_end takes the line away. */
void client_progress_end(struct client_progress *progress);

#define CLIENT_PROGRESS_LINE 80

/* client_progress_format writes the line: at most 79 characters of ASCII. */
void client_progress_format(char out[CLIENT_PROGRESS_LINE], const struct client_progress *progress,
                            uint64_t elapsed_ms);

#endif
