/* The files that a browser finds in its home before it first runs: where its PKCS#11 module is, and that the page may
 * have the client certificate without a question. */
#ifndef KEYWARD_BROWSER_SHIM_PROFILE_H
#define KEYWARD_BROWSER_SHIM_PROFILE_H

#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

#define PROFILE_ORIGIN (sizeof("https://:65535") + LIMIT_NAME)

/* profile_origin writes the origin of an https URL (RFC 6454, 4), such as "https://localhost:9000". ERR_INPUT. */
MUST_CHECK enum err profile_origin(char out[PROFILE_ORIGIN], const char *url, struct diag *diag);

/* profile_make makes home, mode 0700, with all that is in it; an older one is removed first.
 *
 * NSS reads home/.pki/nssdb/pkcs11.txt and loads module from there. Chromium takes profile/Default/Preferences as it
 * finds them: the certificate selection for origin is content setting "auto_select_certificate", as an operator's policy
 * AutoSelectCertificateForUrls would set it. */
MUST_CHECK enum err profile_make(const char *home, const char *origin, const char *module, struct diag *diag);

#endif
