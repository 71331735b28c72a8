/* Host names as certificates have them (RFC 9525, 6.3): compared without regard to the case of ASCII letters. */
#ifndef KEYWARD_BASE_HOST_NAME_H
#define KEYWARD_BASE_HOST_NAME_H

#include <stdbool.h>

/* host_name_is_wildcard says whether a certificate's name stands for several: "*." and at least two more labels. */
bool host_name_is_wildcard(const char *pattern);

/* host_name_matches says whether name is the certificate's name, or is one label more than what follows its "*.". A name in
 * which a '*' stands elsewhere, or with a single label behind it, is nobody's. */
bool host_name_matches(const char *pattern, const char *name);

#endif
