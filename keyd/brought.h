/* A certificate chain and its private key that an operator brings instead of what keyd makes itself. */
#ifndef KEYWARD_KEYD_BROUGHT_H
#define KEYWARD_KEYD_BROUGHT_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "keyd/key_generate.h"
#include "proto/message.h"

struct brought;

/* What the broker passes on: the chain, leaf first, and the key's file. */
struct brought_files {
    const struct bytes *chain;
    size_t num;       /* 0: nothing is brought, 1 to LIMIT_CHAIN otherwise, LIMIT_CHAIN_BYTES in all */
    int key;          /* stays the caller's */
    const char *name; /* what a server certificate beside the default one is called, or NULL */
};

/* brought_new reads the role's (KEY_SERVER or KEY_CLIENT) key and chain, which it copies, and checks all that a TLS peer
 * would: each certificate signed by the next, the last a CA; the leaf for this purpose, not expired, with names if it is
 * a server's; and that the key is the leaf's, by signing with it. ERR_INPUT, ERR_SYSTEM, ERR_MEMORY, ERR_CRYPTO with a
 * diagnostic in the words of the broker's options. */
MUST_CHECK enum err brought_new(struct brought **out, enum key_role role, const struct brought_files *files,
                                uint64_t now_s, struct diag *diag);

/* brought_free frees all but the key that was taken. NULL is allowed. */
void brought_free(struct brought *brought);

/* brought_take_key gives the key away; the caller frees it. */
EVP_PKEY *brought_take_key(struct brought *brought);

/* What lives as long as the brought. A leaf that is signed by itself is its own issuer; the anchor is the chain's last
 * certificate, which whoever verifies the leaf has to trust. */
struct bytes brought_leaf(const struct brought *brought);
struct bytes brought_issuer(const struct brought *brought);
struct bytes brought_anchor(const struct brought *brought);
const struct certificate_info *brought_info(const struct brought *brought);

/* brought_is_for says whether the leaf is for name, a host name or an IP address in text (RFC 6125, 6.4). */
bool brought_is_for(const struct brought *brought, const char *name);

#endif
