/* A server's clock, as its answer tells it. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_DATE_H
#define KEYWARD_BROWSER_SHIM_CLIENT_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Beyond it somebody's clock is wrong, and certificates are judged by wrong ones. */
#define CLIENT_DATE_SKEW_S 300

/* client_date_read reads an IMF-fixdate (RFC 9110, 5.6.7), which is what servers send. False: it is none. */
bool client_date_read(uint64_t *out_s, const char *text);

#endif
