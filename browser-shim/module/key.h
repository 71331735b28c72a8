/* What the token's key does, by its kind: mechanisms and lengths of PKCS #11, and the TLS schemes that they stand for. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_KEY_H
#define KEYWARD_BROWSER_SHIM_MODULE_KEY_H

#include "browser-shim/module/cryptoki.h"
#include "browser-shim/module/der.h"

/* The longest signature: of an RSA key of 4096 bits. */
#define KEY_SIGNATURE 512u

struct key {
    enum der_key kind;
    unsigned long bits;
    ck_mechanism_type_t mechanism; /* the one that there is */
    ck_flags_t flags;              /* of that mechanism */
    size_t signature_len;          /* always the same: r and s, or an RSA number */
};

/* key_init fills out from a certificate. ERR_INPUT: it is no kind of key that keyd holds. */
MUST_CHECK enum err key_init(struct key *out, const struct der_certificate *certificate);

/* What one signature is to be. */
struct key_use {
    uint16_t scheme; /* RFC 8446, 4.2.3 */
    size_t digest_len;
};

/* key_use_init says which scheme a mechanism stands for, with its parameters. CKR_MECHANISM_INVALID: the key does not do
 * it. CKR_MECHANISM_PARAM_INVALID: hash, mask and salt are not as TLS has them (RFC 8446, 4.2.3), or there are parameters
 * where none belong. */
ck_rv_t key_use_init(struct key_use *out, const struct key *key, const struct ck_mechanism *mechanism);

#endif
