/* Whose clients are let in: the CAs, and the verdict on a chain that a client shows. */
#ifndef KEYWARD_WEB_CLIENTS_H
#define KEYWARD_WEB_CLIENTS_H

#include <openssl/base.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/certificate.h"
#include "base/err.h"
#include "proto/message.h"
#include "web/crls.h"
#include "web/lineage.h"
#include "web/revoked.h"

#define CLIENTS_REASON (2 * LIMIT_SUBJECT)

struct clients;

/* What decides whose clients are let in. */
struct clients_terms {
    const struct bytes *cas; /* DER; the broker's */
    size_t num_cas;
    int client_ca_fd;       /* further ones, PEM; -1: none; stays the caller's, as the next */
    enum crl_rule crl_rule; /* CRL_RULE_FILE_CAS: the broker's CAs need no list */
    int crl_fd;             /* looked at if there is a rule */
    const char *own_client; /* the fingerprint of keyd's client; NULL: keyd has none */
};

/* clients_new takes the CAs and revocation lists. Others: a new one, which remembers nothing of what this has verified. ERR_INPUT and
 * the like with a diagnostic (trust_load, crls_new). */
MUST_CHECK enum err clients_new(struct clients **out, const struct clients_terms *terms, struct diag *diag);
void clients_free(struct clients *clients);

/* clients_names returns the CAs' names, in DER, that a CertificateRequest carries. They stay the clients'. */
const STACK_OF(CRYPTO_BUFFER) * clients_names(const struct clients *clients);

/* clients_verify says whether the owner of the chain (its leaf first, as it was sent) is to be let in at this time (seconds
 * since the epoch): X509_V_OK, and out_lineage, which is NULL or a reference that is given up, gets a reference to who signed it; or
 * why not, an X509_V_ERR_... and in words. out describes the leaf either way, if there is one that can be described; otherwise it
 * stays as it is. revoked: NULL for none.
 *
 * A chain that was found good before is not verified again: of it, only the time and revocations are looked at. That the
 * client has the leaf's key is not asked here (BoringSSL verifies CertificateVerify in each handshake). */
MUST_CHECK int clients_verify(struct certificate_text *out, struct lineage **out_lineage, char reason[CLIENTS_REASON],
                              struct clients *clients, const STACK_OF(CRYPTO_BUFFER) * chain,
                              const struct revoked *revoked, uint64_t now_s);

/* clients_trust says whether a connection may stay whose client was let in, perhaps by another struct clients: the CA is one of these,
 * and no list has revoked a certificate on the way to it. That a list or a certificate has gone out of date ends no connection. */
bool clients_trust(const struct clients *clients, const struct lineage *lineage);

/* clients_crls returns the revocation lists, or NULL where there are none. They stay the clients'. */
const struct crls *clients_crls(const struct clients *clients);

/* clients_is_own says whether the certificate is keyd's: then only a handle's holder can have signed with its key. */
bool clients_is_own(const struct clients *clients, const struct certificate_text *certificate);

/* clients_digest writes what stands for the CAs, their revocation lists and keyd's own client. */
void clients_digest(uint8_t out[SHA256_DIGEST_LENGTH], const struct clients *clients);

/* clients_num_verified counts the chains that were verified rather than known. */
uint64_t clients_num_verified(const struct clients *clients);

#endif
