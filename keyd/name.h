/* Which names keyd puts into a certificate. */
#ifndef KEYWARD_KEYD_NAME_H
#define KEYWARD_KEYD_NAME_H

#include <stdbool.h>

/* name_is_dns says whether name is a host name (RFC 1123, 2.1): labels of 1 to 63 letters, digits and inner hyphens,
 * 253 characters in all, no trailing dot, no wildcard. The last label is not all digits: that would be an address. */
bool name_is_dns(const char *name);

#endif
