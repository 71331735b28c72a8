/* Dates in HTTP's and JSON's clothes. Written out here because libc's gmtime and strftime look for a time zone in the
 * file system, which a sandboxed worker has not. */
#ifndef KEYWARD_WEB_HTTP_DATE_H
#define KEYWARD_WEB_HTTP_DATE_H

#include <stdint.h>

#include "base/err.h"

#define DATE_HTTP_LEN 29         /* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) */
#define DATE_ISO_LEN 24          /* "1994-11-06T08:49:37.000Z" (RFC 3339) */
#define DATE_MAX_S 253402300799u /* the last second of the year 9999; later ones are shown as this */

void date_http(char out[DATE_HTTP_LEN + 1], uint64_t seconds);

void date_iso(char out[DATE_ISO_LEN + 1], uint64_t milliseconds);

/* date_parse reads any of the three forms of RFC 9110, 5.6.7. ERR_INPUT for everything else. */
MUST_CHECK enum err date_parse(uint64_t *out_seconds, const char *text);

#endif
