#include "web/clients.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "web/chain_strength.h"
#include "web/handed_file.h"
#include "web/tls_refusal.h"
#include "web/trust.h"
#include "web/verified_chains.h"

struct clients {
    X509_STORE *store;
    STACK_OF(CRYPTO_BUFFER) * names;
    struct crls *crls; /* NULL: there are none */
    struct verified_chains *verified;
    uint64_t num_verified;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char own[sizeof((struct certificate_text *)NULL)->fingerprint]; /* empty: keyd has none */
};

static void auto_store_context(X509_STORE_CTX **store)
{
    X509_STORE_CTX_free(*store);
}

static void auto_chain(STACK_OF(X509) * *chain)
{
    sk_X509_pop_free(*chain, X509_free);
}

static void auto_chain_lineage(struct verified_chain *chain)
{
    lineage_free(chain->lineage);
}

static void auto_clients(struct clients **clients)
{
    clients_free(*clients);
}

static enum err load_crls(struct clients *clients, const struct clients_terms *terms, SHA256_CTX *digest,
                          struct diag *diag)
{
    const struct handed_file file = {.name = "CRL file",
                                     .remedy = "give the lists of the client CAs alone",
                                     .fd = terms->crl_fd,
                                     .max = LIMIT_CRL_FILE};
    const struct crls_authorities authorities = {
        .store = clients->store,
        .exempt = terms->cas,
        .num_exempt = terms->crl_rule == CRL_RULE_FILE_CAS ? terms->num_cas : 0,
    };
    AUTO_FREE uint8_t *text = NULL;
    size_t len;
    if (terms->crl_rule == CRL_RULE_NONE) return ERR_OK;
    enum err err = handed_file_read(&text, &len, &file, diag);
    if (err != ERR_OK) return err;
    return crls_new(&clients->crls, digest, &authorities, (struct bytes){text, len}, diag);
}

enum err clients_new(struct clients **out, const struct clients_terms *terms, struct diag *diag)
{
    *out = NULL;
    AUTO(auto_clients) struct clients *clients = calloc(1, sizeof *clients);
    if (clients == NULL) return diag_set(diag, ERR_MEMORY, "no memory");
    clients->store = X509_STORE_new();
    clients->names = sk_CRYPTO_BUFFER_new_null();
    clients->verified = verified_chains_new();
    if (clients->store == NULL || clients->names == NULL || clients->verified == NULL)
        return diag_set(diag, ERR_MEMORY, "no memory");
    if (terms->own_client != NULL) snprintf(clients->own, sizeof clients->own, "%s", terms->own_client);
    SHA256_CTX digest;
    SHA256_Init(&digest);
    SHA256_Update(&digest, clients->own, sizeof clients->own);
    enum err err =
        trust_load(clients->store, clients->names, &digest, terms->cas, terms->num_cas, terms->client_ca_fd, diag);
    if (err == ERR_OK) err = load_crls(clients, terms, &digest, diag);
    if (err != ERR_OK) return err;
    SHA256_Final(clients->digest, &digest);
    *out = clients;
    clients = NULL;
    return ERR_OK;
}

void clients_free(struct clients *clients)
{
    if (clients == NULL) return;
    X509_STORE_free(clients->store);
    sk_CRYPTO_BUFFER_pop_free(clients->names, CRYPTO_BUFFER_free);
    verified_chains_free(clients->verified);
    crls_free(clients->crls);
    free(clients);
}

const STACK_OF(CRYPTO_BUFFER) * clients_names(const struct clients *clients)
{
    return clients->names;
}

void clients_digest(uint8_t out[SHA256_DIGEST_LENGTH], const struct clients *clients)
{
    memcpy(out, clients->digest, sizeof clients->digest);
}

uint64_t clients_num_verified(const struct clients *clients)
{
    return clients->num_verified;
}

const struct crls *clients_crls(const struct clients *clients)
{
    return clients->crls;
}

static bool has_anchor(const struct clients *clients, const uint8_t anchor[SHA256_DIGEST_LENGTH])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(clients->store);
    for (size_t i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        const X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca != NULL && X509_digest(ca, EVP_sha256(), digest, NULL) && memcmp(digest, anchor, sizeof digest) == 0)
            return true;
    }
    return false;
}

bool clients_trust(const struct clients *clients, const struct lineage *lineage)
{
    if (!has_anchor(clients, lineage->anchor)) return false;
    for (size_t i = 0; i < lineage->num_links && clients->crls != NULL; i++) {
        struct crls_finding finding;
        crls_look(&finding, clients->crls, &lineage->links[i], 0);
        if (finding.verdict == CRLS_REVOKED || finding.verdict == CRLS_NO_LIST) return false;
    }
    return true;
}

bool clients_is_own(const struct clients *clients, const struct certificate_text *certificate)
{
    return strcmp(certificate->fingerprint, clients->own) == 0;
}

static int refuse(char reason[CLIENTS_REASON], int error, const char *why)
{
    snprintf(reason, CLIENTS_REASON, "%s", why);
    return error;
}

/* NULL: one of them is no certificate, or there is no memory. */
static STACK_OF(X509) * parse(const STACK_OF(CRYPTO_BUFFER) * sent)
{
    AUTO(auto_chain) STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; chain != NULL && i < sk_CRYPTO_BUFFER_num(sent); i++) {
        X509 *certificate = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(sent, i));
        if (certificate == NULL || !sk_X509_push(chain, certificate)) {
            X509_free(certificate);
            return NULL;
        }
    }
    STACK_OF(X509) *whole = chain;
    chain = NULL;
    return whole;
}

/* From when until when all of the chain is valid, by the same bounds as X509_verify_cert has. */
static bool read_validity(struct verified_chain *out, const STACK_OF(X509) * chain)
{
    int64_t from = 0, until = INT64_MAX, not_before, not_after;
    for (size_t i = 0; i < sk_X509_num(chain); i++) {
        const X509 *certificate = sk_X509_value(chain, i);
        if (!ASN1_TIME_to_posix(X509_get0_notBefore(certificate), &not_before) ||
            !ASN1_TIME_to_posix(X509_get0_notAfter(certificate), &not_after) || not_after < 0)
            return false;
        if (not_before > from) from = not_before;
        if (not_after < until) until = not_after;
    }
    out->from = (uint64_t)from;
    out->until = (uint64_t)until;
    return true;
}

/* Narrows the time for which the chain is good to that of the lists that it was looked up in. */
static int check_crls(struct verified_chain *out, char reason[CLIENTS_REASON], const struct crls *crls,
                      const STACK_OF(X509) * chain, uint64_t now_s)
{
    for (size_t i = 0; i < out->lineage->num_links; i++) {
        struct certificate_text text = {0};
        struct crls_finding finding;
        crls_look(&finding, crls, &out->lineage->links[i], now_s);
        if (finding.verdict == CRLS_GOOD) {
            if (finding.this_update > out->from) out->from = finding.this_update;
            if (finding.next_update < out->until) out->until = finding.next_update;
            continue;
        }
        if (certificate_describe(&text, sk_X509_value(chain, i)) != ERR_OK) ERR_clear_error();
        crls_explain(reason, CLIENTS_REASON, &finding, &text);
        return crls_error(finding.verdict);
    }
    return X509_V_OK;
}

static int verify_parsed(struct verified_chain *out, char reason[CLIENTS_REASON], const struct clients *clients,
                         STACK_OF(X509) * sent, uint64_t now_s)
{
    AUTO(auto_store_context) X509_STORE_CTX *store = X509_STORE_CTX_new();
    const enum err described = certificate_describe(&out->leaf, sk_X509_value(sent, 0));
    if (described != ERR_OK) memset(&out->leaf, 0, sizeof out->leaf);
    if (store == NULL || !X509_STORE_CTX_init(store, clients->store, sk_X509_value(sent, 0), sent) ||
        !X509_STORE_CTX_set_default(store, "ssl_client"))
        return refuse(reason, X509_V_ERR_OUT_OF_MEM, "no memory");
    X509_STORE_CTX_set_depth(store, LIMIT_CLIENT_CHAIN);
    X509_STORE_CTX_set_time_posix(store, 0, (int64_t)now_s);
    if (X509_verify_cert(store) <= 0) {
        const int error = X509_STORE_CTX_get_error(store);
        tls_refusal_certificate(reason, CLIENTS_REASON, store);
        return error != X509_V_OK ? error : X509_V_ERR_UNSPECIFIED;
    }
    const STACK_OF(X509) *chain = X509_STORE_CTX_get_chain(store);
    if (!chain_strength_check(reason, CLIENTS_REASON, chain)) return X509_V_ERR_CERT_REJECTED;
    out->lineage = lineage_new(chain);
    if (described != ERR_OK || !read_validity(out, chain) || out->lineage == NULL) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        tls_refusal_certificate(reason, CLIENTS_REASON, store);
        return X509_V_ERR_UNSPECIFIED;
    }
    return clients->crls != NULL ? check_crls(out, reason, clients->crls, chain, now_s) : X509_V_OK;
}

static int verify(struct verified_chain *out, char reason[CLIENTS_REASON], const struct clients *clients,
                  const STACK_OF(CRYPTO_BUFFER) * sent, uint64_t now_s)
{
    AUTO(auto_chain) STACK_OF(X509) *parsed = parse(sent);
    const int error = parsed != NULL
                          ? verify_parsed(out, reason, clients, parsed, now_s)
                          : refuse(reason, X509_V_ERR_UNSPECIFIED, "client sent a certificate that does not parse");
    ERR_clear_error();
    return error;
}

static void give_lineage(struct lineage **out, struct lineage *lineage)
{
    lineage_keep(lineage);
    lineage_free(*out);
    *out = lineage;
}

static int find_or_verify(struct certificate_text *out, struct lineage **out_lineage, char reason[CLIENTS_REASON],
                          struct clients *clients, const STACK_OF(CRYPTO_BUFFER) * sent, uint64_t now_s)
{
    AUTO(auto_chain_lineage) struct verified_chain chain = {0};
    verified_chains_digest(chain.digest, sent);
    const struct verified_chain *known = verified_chains_find(clients->verified, chain.digest, now_s);
    if (known != NULL) {
        *out = known->leaf;
        give_lineage(out_lineage, known->lineage);
        return X509_V_OK;
    }
    clients->num_verified++;
    const int error = verify(&chain, reason, clients, sent, now_s);
    if (chain.leaf.fingerprint[0] != '\0') *out = chain.leaf;
    if (error != X509_V_OK) return error;
    verified_chains_add(clients->verified, &chain);
    give_lineage(out_lineage, chain.lineage);
    return X509_V_OK;
}

int clients_verify(struct certificate_text *out, struct lineage **out_lineage, char reason[CLIENTS_REASON],
                   struct clients *clients, const STACK_OF(CRYPTO_BUFFER) * chain, const struct revoked *revoked,
                   uint64_t now_s)
{
    const size_t num = chain != NULL ? sk_CRYPTO_BUFFER_num(chain) : 0;
    if (num == 0) return refuse(reason, X509_V_ERR_UNSPECIFIED, "client sent no certificate");
    if (num > LIMIT_CLIENT_CHAIN) {
        snprintf(reason, CLIENTS_REASON, "client sent a chain of more than %u certificates", LIMIT_CLIENT_CHAIN);
        return X509_V_ERR_CERT_CHAIN_TOO_LONG;
    }
    const int error = find_or_verify(out, out_lineage, reason, clients, chain, now_s);
    if (error != X509_V_OK || revoked == NULL || !revoked_has(revoked, out->serial)) return error;
    snprintf(reason, CLIENTS_REASON, "client certificate revoked serial=%s", out->serial);
    return X509_V_ERR_CERT_REVOKED;
}
