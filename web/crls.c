#include "web/crls.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/crls_internal.h"
#include "web/timestamp.h"

void crls_free(struct crls *crls)
{
    if (crls == NULL) return;
    for (size_t i = 0; i < crls->num; i++) free(crls->lists[i].entries);
    free(crls);
}

int crls_compare(const void *a, const void *b)
{
    const struct crl_entry *left = a, *right = b;
    if (left->serial_len != right->serial_len) return left->serial_len < right->serial_len ? -1 : 1;
    return memcmp(left->serial, right->serial, sizeof left->serial);
}

static bool same_issuer(const struct lineage_issuer *a, const struct lineage_issuer *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

const struct list *crls_list(const struct crls *crls, const struct lineage_issuer *issuer)
{
    for (size_t i = 0; i < crls->num; i++) {
        if (same_issuer(&crls->lists[i].issuer, issuer)) return &crls->lists[i];
    }
    return NULL;
}

bool crls_is_exempt(const struct crls *crls, const struct lineage_issuer *issuer)
{
    for (size_t i = 0; i < crls->num_exempt; i++) {
        if (same_issuer(&crls->exempt[i], issuer)) return true;
    }
    return false;
}

static enum crls_verdict judge_time(const struct list *list, uint64_t now_s)
{
    if (now_s < list->this_update) return CRLS_EARLY;
    return now_s < list->next_update ? CRLS_GOOD : CRLS_STALE;
}

void crls_look(struct crls_finding *out, const struct crls *crls, const struct lineage_link *link, uint64_t now_s)
{
    *out = (struct crls_finding){.verdict = CRLS_GOOD, .next_update = UINT64_MAX};
    if (crls_is_exempt(crls, &link->issuer)) return;
    const struct list *list = crls_list(crls, &link->issuer);
    if (list == NULL) {
        out->verdict = CRLS_NO_LIST;
        return;
    }
    out->this_update = list->this_update;
    out->next_update = list->next_update;
    out->verdict = judge_time(list, now_s);
    struct crl_entry wanted = {.serial_len = link->serial_len};
    memcpy(wanted.serial, link->serial, sizeof wanted.serial);
    if (list->num_entries == 0) return;
    const struct crl_entry *entry = bsearch(&wanted, list->entries, list->num_entries, sizeof wanted, crls_compare);
    if (entry == NULL) return;
    out->verdict = CRLS_REVOKED;
    out->revoked_at = entry->revoked_at;
    out->reason = crl_reason_name(entry->reason);
}

void crls_explain(char *out, size_t out_len, const struct crls_finding *finding,
                  const struct certificate_text *certificate)
{
    char when[TIMESTAMP_SIZE];
    switch (finding->verdict) {
    case CRLS_REVOKED:
        timestamp_format(when, finding->revoked_at, 0);
        snprintf(out, out_len, "certificate revoked on %s by the CRL of %s (%s%ssubject %s, serial %s)", when,
                 certificate->issuer, finding->reason != NULL ? finding->reason : "",
                 finding->reason != NULL ? "; " : "", certificate->subject, certificate->serial);
        return;
    case CRLS_STALE:
        timestamp_format(when, finding->next_update, 0);
        snprintf(out, out_len, "the CRL of %s was good until %s; who is revoked since is not known (subject %s)",
                 certificate->issuer, when, certificate->subject);
        return;
    case CRLS_EARLY:
        timestamp_format(when, finding->this_update, 0);
        snprintf(out, out_len, "the CRL of %s is not good before %s (subject %s)", certificate->issuer, when,
                 certificate->subject);
        return;
    case CRLS_NO_LIST:
        snprintf(out, out_len, "there is no CRL of %s, which signed it (subject %s)", certificate->issuer,
                 certificate->subject);
        return;
    case CRLS_GOOD: break;
    }
    out[0] = '\0';
}

int crls_error(enum crls_verdict verdict)
{
    switch (verdict) {
    case CRLS_REVOKED: return X509_V_ERR_CERT_REVOKED;
    case CRLS_STALE: return X509_V_ERR_CRL_HAS_EXPIRED;
    case CRLS_EARLY: return X509_V_ERR_CRL_NOT_YET_VALID;
    case CRLS_NO_LIST: return X509_V_ERR_UNABLE_TO_GET_CRL;
    case CRLS_GOOD: break;
    }
    return X509_V_OK;
}

bool crls_out_of_date(char *out, size_t out_len, size_t *at, const struct crls *crls, uint64_t now_s)
{
    char from[TIMESTAMP_SIZE], until[TIMESTAMP_SIZE];
    while (*at < crls->num) {
        const struct list *list = &crls->lists[(*at)++];
        if (judge_time(list, now_s) == CRLS_GOOD) continue;
        timestamp_format(from, list->this_update, 0);
        timestamp_format(until, list->next_update, 0);
        snprintf(out, out_len, "the CRL of %s is good from %s until %s", list->name, from, until);
        return true;
    }
    return false;
}

uint64_t crls_next_update(const struct crls *crls)
{
    uint64_t first = 0;
    for (size_t i = 0; i < crls->num; i++)
        if (first == 0 || crls->lists[i].next_update < first) first = crls->lists[i].next_update;
    return first;
}
