/* Log lines that a peer can cause at will: so many a second, then only their number. */
#ifndef KEYWARD_BASE_LOG_RATE_H
#define KEYWARD_BASE_LOG_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Zero state: nothing logged yet. */
struct log_rate {
    uint64_t second;   /* of clock_monotonic_ms / 1000 */
    unsigned count;    /* lines in it */
    uint64_t withheld; /* lines since the last that was let through */
};

/* log_rate_admit says whether one more line may be written at now_ms, at most per_second in a second. If so,
 * *out_withheld is how many were not written since the last. */
bool log_rate_admit(struct log_rate *rate, uint64_t *out_withheld, uint64_t now_ms, unsigned per_second);

#endif
