/* Whether a verified chain is worth what its keys and hashes are worth. X509_verify_cert asks only whether the
 * signatures are right: BoringSSL would take an RSA key of 512 bits, and SHA-1. */
#ifndef KEYWARD_WEB_CHAIN_STRENGTH_H
#define KEYWARD_WEB_CHAIN_STRENGTH_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* chain_strength_check says whether every key of the chain (leaf first, anchor last) is RSA of at least 2048 bits or
 * of another kind that this library knows, and whether every signature but the anchor's uses SHA-256 or better. If
 * not, out says why. */
bool chain_strength_check(char *out, size_t out_len, const STACK_OF(X509) * chain);

#endif
