/* What an OCSP responder says of certificates (RFC 6960, 4.2): the form of its answer. Who has signed it, which certificate it is
 * about, and whether it is the time for it, is not looked at here (staple.h). */
#ifndef KEYWARD_WEB_OCSP_H
#define KEYWARD_WEB_OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "web/signed_data.h"

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

/* What is said of one certificate. The spans point into the response. */
struct ocsp_single {
    struct bytes hash;        /* with which the issuer is named: the contents of an OBJECT IDENTIFIER */
    struct bytes issuer_name; /* these two hashed: the issuer's Name, and the contents of its subjectPublicKey */
    struct bytes issuer_key;
    struct bytes serial; /* the contents of an INTEGER, in its shortest form */
    enum ocsp_status status;
    uint64_t this_update; /* seconds since the epoch */
    uint64_t next_update;
};

/* The spans point into the response. */
struct ocsp_response {
    struct signed_data body;
    struct bytes responder_name; /* Name, DER; or empty, and then: */
    struct bytes responder_key;  /* SHA-1 of the contents of its subjectPublicKey */
    struct bytes singles;        /* for ocsp_next */
    struct bytes certificates;   /* one behind the other, for who has no better way to the responder's */
};

/* ocsp_parse reads a response, in which all that is said has its form too. ERR_INPUT with a diagnostic that says what is wrong and what to
 * do: one that is no answer, because the responder had none, or one with a critical extension that is not known here. */
MUST_CHECK enum err ocsp_parse(struct ocsp_response *out, struct bytes der, struct diag *diag);

/* ocsp_next takes the next one out of singles, those of a response that ocsp_parse has read. False: there is none. */
bool ocsp_next(struct ocsp_single *out, struct bytes *singles);

#endif
