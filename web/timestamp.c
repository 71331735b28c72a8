#include "web/timestamp.h"

#if __has_include(<openssl/posix_time.h>)
#include <openssl/posix_time.h> /* its name in newer versions */
#else
#include <openssl/time.h>
#endif
#include <stdio.h>
#include <time.h>

void timestamp_format(char out[TIMESTAMP_SIZE], uint64_t seconds, unsigned milliseconds)
{
    struct tm tm;
    if (seconds > INT64_MAX || !OPENSSL_posix_to_tm((int64_t)seconds, &tm)) {
        snprintf(out, TIMESTAMP_SIZE, "?");
        return;
    }
    snprintf(out, TIMESTAMP_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, milliseconds % 1000);
}
