/* An OCSP response that is stapled to a server certificate (RFC 6066, 8; RFC 8446, 4.4.2.1): whether clients would believe it.
 *
 * It is taken if it is by the CA that signed the certificate, or by a responder that this CA has made one (RFC 6960, 4.2.2.2), and
 * calls the certificate good. One whose time it is not is taken too: the certificate is shown without it meanwhile. */
#ifndef KEYWARD_WEB_STAPLE_H
#define KEYWARD_WEB_STAPLE_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/* From when until when clients believe it: seconds since the epoch, the second of them not included. */
struct staple_time {
    uint64_t from;
    uint64_t until;
};

/* staple_check looks whether the response (DER) is what clients want to see about leaf, which issuer signed. ERR_INPUT with a
 * diagnostic: why not, and what to do. */
MUST_CHECK enum err staple_check(struct staple_time *out, struct bytes response, X509 *leaf, X509 *issuer,
                                 struct diag *diag);

/* staple_is_due says whether this is the time for it. */
bool staple_is_due(const struct staple_time *time, uint64_t now_s);

/* staple_is_wanted says whether the certificate demands that a response comes with it (RFC 7633, status_request). */
bool staple_is_wanted(const X509 *leaf);

#endif
