/* Moments in UTC for people. libc's gmtime_r would read the machine's time zone from a file, which is not there in the
 * sandbox. */
#ifndef KEYWARD_WEB_TIMESTAMP_H
#define KEYWARD_WEB_TIMESTAMP_H

#include <stdint.h>

#define TIMESTAMP_SIZE 32

/* timestamp_format writes "2026-01-31T12:00:00.000Z", and "?" for what is beyond the year 9999. */
void timestamp_format(char out[TIMESTAMP_SIZE], uint64_t seconds, unsigned milliseconds);

#endif
