/* A private key that an operator brings, read from the file that the broker opened and did not read. */
#ifndef KEYWARD_KEYD_KEY_LOAD_H
#define KEYWARD_KEYD_KEY_LOAD_H

#include <openssl/base.h>

#include "base/err.h"

/* key_load reads PEM (PKCS#8, SEC 1 or PKCS#1, unencrypted, at most LIMIT_KEY_FILE bytes) from the beginning of fd, which
 * stays the caller's and where it stands. Every byte of the file is in secret memory and wiped before the return. option
 * is what the broker's user calls it, for the diagnostic. The key is the caller's to free.
 *
 * ERR_INPUT: too long, no key in it, encrypted, or of a kind that keyd does not hold. ERR_SYSTEM: cannot be read.
 * ERR_MEMORY. Each with a diagnostic. */
MUST_CHECK enum err key_load(EVP_PKEY **out, int fd, const char *option, struct diag *diag);

#endif
