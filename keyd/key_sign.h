/* What a key does, whatever kind it is: the TLS signature schemes of P-256, P-384 and RSA keys. */
#ifndef KEYWARD_KEYD_KEY_SIGN_H
#define KEYWARD_KEYD_KEY_SIGN_H

#include <openssl/base.h>

#include "base/err.h"
#include "keyd/scheme.h"

/* key_schemes writes the schemes that the key does and returns how many: none for a key that keyd does not hold. Any
 * RSA key of 2048, 3072 or 4096 bits does RSA-PSS with each of the three hashes (rsa_pss_rsae_...). */
size_t key_schemes(uint16_t out[SCHEMES_OF_A_KEY], const EVP_PKEY *key);

bool key_does(const EVP_PKEY *key, uint16_t scheme);

/* key_sign writes a signature as TLS carries it: a DER Ecdsa-Sig-Value, or the RSA number with its leading zeros. The
 * salt is as long as the hash (RFC 8446, 4.2.3). ERR_DENIED: the key does not do the digest's scheme. ERR_CRYPTO. */
MUST_CHECK enum err key_sign(uint8_t out[SCHEME_SIGNATURE], size_t *out_len, const EVP_PKEY *key,
                             const struct digest *digest);

/* key_verify says whether signature is the key's, of digest. Without memory nothing is. */
bool key_verify(const EVP_PKEY *key, const struct digest *digest, struct bytes signature);

#endif
