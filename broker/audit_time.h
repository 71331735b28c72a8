/* The time of a record: UTC with milliseconds, as in 2026-01-02T03:04:05.678Z. */
#ifndef KEYWARD_BROKER_AUDIT_TIME_H
#define KEYWARD_BROKER_AUDIT_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_TIME 24u                    /* characters */
#define AUDIT_TIME_MAX 253402300799999ull /* the last millisecond of the year 9999 */

/* audit_time_format writes it and a NUL; what is beyond AUDIT_TIME_MAX is written as that. */
void audit_time_format(char out[AUDIT_TIME + 1], uint64_t ms);

/* audit_time_parse reads exactly that form. */
bool audit_time_parse(uint64_t *out_ms, const char text[AUDIT_TIME]);

#endif
