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
#include "web/revoked.h"

#define CLIENTS_REASON (2 * LIMIT_SUBJECT)

struct clients;

/* clients_new takes the CAs of the identity, those in the PEM file client_ca_fd (-1: none; it stays the caller's), and the
 * fingerprint of keyd's own client. Other CAs: a new one, which remembers nothing of what this has verified. ERR_INPUT and the
 * like with a diagnostic (trust_load). */
MUST_CHECK enum err clients_new(struct clients **out, const struct web_identity *identity, int client_ca_fd,
                                struct diag *diag);
void clients_free(struct clients *clients);

/* clients_names returns the CAs' names, in DER, that a CertificateRequest carries. They stay the clients'. */
const STACK_OF(CRYPTO_BUFFER) * clients_names(const struct clients *clients);

/* clients_verify says whether the owner of the chain (its leaf first, as it was sent) is to be let in at this time (seconds
 * since the epoch): X509_V_OK, and out_anchor names the CA that it leads to; or why not, an X509_V_ERR_... and in words. out
 * describes the leaf either way, if there is one that can be described; otherwise it stays as it is. revoked: NULL for none.
 *
 * A chain that was found good before is not verified again: of it, only the time and revocations are looked at. That the
 * client has the leaf's key is not asked here (BoringSSL verifies CertificateVerify in each handshake). */
MUST_CHECK int clients_verify(struct certificate_text *out, uint8_t out_anchor[SHA256_DIGEST_LENGTH],
                              char reason[CLIENTS_REASON], struct clients *clients,
                              const STACK_OF(CRYPTO_BUFFER) * chain, const struct revoked *revoked, uint64_t now_s);

/* clients_trust says whether the CA that clients_verify named, perhaps of another struct clients, is one of these. */
bool clients_trust(const struct clients *clients, const uint8_t anchor[SHA256_DIGEST_LENGTH]);

/* clients_is_own says whether the certificate is keyd's: then only a handle's holder can have signed with its key. */
bool clients_is_own(const struct clients *clients, const struct certificate_text *certificate);

/* clients_digest writes what stands for the CAs and keyd's own client. */
void clients_digest(uint8_t out[SHA256_DIGEST_LENGTH], const struct clients *clients);

/* clients_num_verified counts the chains that were verified rather than known. */
uint64_t clients_num_verified(const struct clients *clients);

#endif
