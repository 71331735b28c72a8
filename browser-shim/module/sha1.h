/* SHA-1 (FIPS 180-4, 6.1), only because NSS finds the certificate that a trust object speaks of by it. Nothing here
 * depends on its collision resistance: the certificate itself is the one that keyd gave. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_SHA1_H
#define KEYWARD_BROWSER_SHIM_MODULE_SHA1_H

#include "base/bytes.h"

#define SHA1_DIGEST 20

void sha1_digest(uint8_t out[SHA1_DIGEST], struct bytes message);

#endif
