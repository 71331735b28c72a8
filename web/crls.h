/* The revocation lists of the client CAs, and what they say of a certificate.
 *
 * They come as one file, PEM or DER, and belong to a set of CAs: each list has to be signed by one of them, and each of them
 * needs one, but for those that are exempt (keyd's own, whose certificates the broker revokes). A list that is out of date stays: it
 * still tells who is revoked, and of everybody else that nobody can tell. */
#ifndef KEYWARD_WEB_CRLS_H
#define KEYWARD_WEB_CRLS_H

#include <openssl/base.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/certificate.h"
#include "base/err.h"
#include "web/lineage.h"

struct crls;

/* The CAs that lists are for. */
struct crls_authorities {
    X509_STORE *store;          /* all of them, and nothing else */
    const struct bytes *exempt; /* DER; at most LIMIT_CLIENT_CAS of them */
    size_t num_exempt;
};

/* crls_new takes the lists of a file. Of several of one CA the newest counts. digest is updated with what is in them.
 * ERR_INPUT with a diagnostic (which list, why, what to do): not parsable, not complete (crl.h), by nobody of the CAs, not
 * signed by the one it names, more than LIMIT_CRLS, or none of a CA that needs one. */
MUST_CHECK enum err crls_new(struct crls **out, SHA256_CTX *digest, const struct crls_authorities *authorities,
                             struct bytes file, struct diag *diag);
void crls_free(struct crls *crls);

enum crls_verdict {
    CRLS_GOOD,
    CRLS_REVOKED, /* by a list of whatever age */
    CRLS_NO_LIST, /* the CA that signed it has none */
    CRLS_EARLY,   /* its CA's list is not for now: the clock is wrong, or the CA's is */
    CRLS_STALE,   /* its CA should have made another one by now */
};

struct crls_finding {
    enum crls_verdict verdict;
    uint64_t this_update; /* of the list; seconds since the epoch, as the next two */
    uint64_t next_update;
    uint64_t revoked_at;
    const char *reason; /* crl_reason_name */
};

/* crls_look says what is known of the certificate at this time. Of an exempt CA's everything is good, at all times. */
void crls_look(struct crls_finding *out, const struct crls *crls, const struct lineage_link *link, uint64_t now_s);

/* crls_explain puts a finding that is not good into words. */
void crls_explain(char *out, size_t out_len, const struct crls_finding *finding,
                  const struct certificate_text *certificate);

/* crls_error returns the X509_V_... of a verdict. */
int crls_error(enum crls_verdict verdict);

/* crls_out_of_date says whether there is a list, beginning with the one at *at, whose time it is not; of the first it writes whose it
 * is and until when it was good, and moves *at behind it. */
bool crls_out_of_date(char *out, size_t out_len, size_t *at, const struct crls *crls, uint64_t now_s);

/* crls_next_update returns when the first of the lists runs out, seconds since the epoch; 0: there are none. */
uint64_t crls_next_update(const struct crls *crls);

#endif
