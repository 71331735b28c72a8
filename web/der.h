/* Pieces of DER that revocation lists (RFC 5280, 5) and OCSP responses (RFC 6960) have in common. */
#ifndef KEYWARD_WEB_DER_H
#define KEYWARD_WEB_DER_H

#include <openssl/bytestring.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/* Extension (RFC 5280, 4.1). */
struct der_extension {
    CBS oid;
    CBS value;
    bool critical;
    unsigned id; /* the last octet of 2.5.29.N; 0: another one */
};

struct bytes der_span(const CBS *cbs);
CBS der_cbs(struct bytes bytes);

/* der_time reads a UTCTime or GeneralizedTime, in UTC (RFC 5280, 4.1.2.5), as seconds since the epoch. What is before 1970 is 1970. */
bool der_time(uint64_t *out, CBS *in);

/* der_extension takes the next one out of the contents of Extensions. */
bool der_extension(struct der_extension *out, CBS *extensions);

/* der_refuse_unknown says that the extension is critical and that nobody here knows it; remedy is what to do. Returns ERR_INPUT. */
enum err der_refuse_unknown(const struct der_extension *extension, const char *remedy, struct diag *diag);

#endif
