/* Time. Deadlines count on the monotonic clock, certificates and log lines on the wall clock. The monotonic clock counts on
 * while the machine sleeps (CLOCK_BOOTTIME): a handle that was given out for an hour is not good for one after a night. */
#ifndef KEYWARD_BASE_CLOCK_H
#define KEYWARD_BASE_CLOCK_H

#include <stdint.h>

/* clock_monotonic_ms returns milliseconds since some fixed moment. */
uint64_t clock_monotonic_ms(void);

/* clock_monotonic_us returns microseconds since the same moment. */
uint64_t clock_monotonic_us(void);

/* clock_wall_ms returns milliseconds since the epoch. */
uint64_t clock_wall_ms(void);

/* clock_wall_s returns seconds since the epoch. */
uint64_t clock_wall_s(void);

#endif
