/* What has to be remembered of a client's verified chain to judge it again without its certificates: the CA that it leads to, and
 * for each certificate who signed it and its serial number. One for all connections of the client, in one thread. */
#ifndef KEYWARD_WEB_LINEAGE_H
#define KEYWARD_WEB_LINEAGE_H

#include <openssl/base.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* A CA as those know it who see only what it has signed: SHA-256 over its name and its key, so that a CA with two certificates is one. */
struct lineage_issuer {
    uint8_t digest[SHA256_DIGEST_LENGTH];
};

struct lineage_link {
    struct lineage_issuer issuer;
    uint8_t serial[LIMIT_SERIAL]; /* as in struct crl_entry */
    uint8_t serial_len;
};

struct lineage {
    unsigned references;
    uint8_t anchor[SHA256_DIGEST_LENGTH]; /* SHA-256 of the CA's DER */
    size_t num_links;
    struct lineage_link links[]; /* leaf first; the anchor, which is trusted as it is, has none */
};

/* lineage_new makes one, with one reference, of a chain: leaf first, anchor last. NULL: no memory, or a serial number that no
 * certificate should have (negative, over 20 bytes). */
struct lineage *lineage_new(const STACK_OF(X509) * chain);

/* lineage_keep adds a reference and returns its argument; lineage_free takes one away, and frees with the last. NULL is allowed. */
struct lineage *lineage_keep(struct lineage *lineage);
void lineage_free(struct lineage *lineage);

/* lineage_issuer_of names the CA with this certificate. False: no memory. */
bool lineage_issuer_of(struct lineage_issuer *out, const X509 *ca);

#endif
