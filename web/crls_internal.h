/* What the two files that make up the revocation lists share. */
#ifndef KEYWARD_WEB_CRLS_INTERNAL_H
#define KEYWARD_WEB_CRLS_INTERNAL_H

#include "web/crl.h"
#include "web/crls.h"

struct list {
    struct lineage_issuer issuer;
    char name[LIMIT_SUBJECT + 1]; /* the CA's */
    uint64_t this_update, next_update;
    struct crl_entry *entries; /* in the order of crls_compare */
    size_t num_entries;
};

struct crls {
    struct list lists[LIMIT_CRLS];
    size_t num;
    struct lineage_issuer exempt[LIMIT_CLIENT_CAS];
    size_t num_exempt;
};

/* crls_compare orders entries by their serial numbers, for qsort and bsearch. */
int crls_compare(const void *a, const void *b);

/* crls_list returns the CA's list, or NULL. */
const struct list *crls_list(const struct crls *crls, const struct lineage_issuer *issuer);

bool crls_is_exempt(const struct crls *crls, const struct lineage_issuer *issuer);

#endif
