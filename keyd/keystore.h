/* The keys and their certificates: made once, from the broker's setup, and gone with the process.
 *
 * The CA's private key is destroyed as soon as it has signed the two leaves, so nothing can issue another certificate
 * in its name. */
#ifndef KEYWARD_KEYD_KEYSTORE_H
#define KEYWARD_KEYD_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "keyd/key_generate.h"
#include "proto/message.h"

struct keystore;

#define KEYSTORE_DIGEST 32u    /* SHA-256 */
#define KEYSTORE_SIGNATURE 72u /* the longest DER Ecdsa-Sig-Value of P-256 */

/* keystore_new makes the keys and certificates; now_s is the time of day. ERR_INPUT: a name that may not be issued.
 * ERR_CRYPTO, ERR_MEMORY. Each with a diagnostic. */
MUST_CHECK enum err keystore_new(struct keystore **out, const struct keyd_setup *setup, uint64_t now_s,
                                 struct diag *diag);
void keystore_free(struct keystore *keystore);

/* keystore_certificate returns the role's certificate, DER; it lives as long as the keystore. */
struct bytes keystore_certificate(const struct keystore *keystore, enum key_role role);

/* keystore_info returns the same in words; it lives as long as the keystore. */
const struct certificate_info *keystore_info(const struct keystore *keystore, enum key_role role);

/* keystore_verify says whether signature is the role's, of digest. Without memory nothing is. */
bool keystore_verify(const struct keystore *keystore, enum key_role role, const uint8_t digest[KEYSTORE_DIGEST],
                     struct bytes signature);

/* keystore_is_server_name says whether the server's certificate is for name, a host name or an IP address in text. */
bool keystore_is_server_name(const struct keystore *keystore, const char *name);

/* keystore_sign writes an ECDSA signature of digest, DER. Only keyd/dispatch.c calls it, with a digest that
 * keyd/purpose.c made, or that keyd/expectation.c foretold. ERR_DENIED: the role's key does not sign. ERR_CRYPTO. */
MUST_CHECK enum err keystore_sign(const struct keystore *keystore, uint8_t out[KEYSTORE_SIGNATURE], size_t *out_len,
                                  enum key_role role, const uint8_t digest[KEYSTORE_DIGEST]);

#endif
