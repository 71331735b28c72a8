/* OCSP responses for tests, good ones and others. Whatever cannot be made fails a CHECK. */
#ifndef KEYWARD_TESTS_UNIT_WEB_OCSP_MAKER_H
#define KEYWARD_TESTS_UNIT_WEB_OCSP_MAKER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "tests/unit/web/pki.h"

/* Zero state: good, about leaf, by its issuer under its name, from a minute ago for an hour. */
struct ocsp_request {
    const struct pki_cert *leaf;
    const struct pki_cert *issuer;
    const struct pki_cert *signer; /* NULL: the issuer; another one's certificate is in the response */
    enum { MAKE_GOOD, MAKE_REVOKED, MAKE_UNKNOWN } status;
    long this_update_s; /* from now; 0: a minute ago */
    long next_update_s; /* from now; 0: an hour */
    bool no_next_update;
    bool sha256; /* names the issuer with it */
    bool by_key;
    bool twice;
    bool critical; /* has a critical extension that nobody knows */
};

/* ocsp_make makes a response, DER, which is kept to the end of the test. */
struct bytes ocsp_make(const struct ocsp_request *request);

#endif
