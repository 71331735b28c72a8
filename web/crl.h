/* One certificate revocation list (RFC 5280, 5): its form.
 *
 * Taken are complete lists alone. One that is partial by its own word (a delta, one for some certificates or some reasons), one that
 * speaks for other CAs than the one that signed it, or one with a critical extension that is not known here is refused: to look
 * into it would mean to find certificates good that nobody has looked for. */
#ifndef KEYWARD_WEB_CRL_H
#define KEYWARD_WEB_CRL_H

#include <openssl/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "web/signed_data.h"

/* A revoked certificate. */
struct crl_entry {
    uint64_t revoked_at;          /* seconds since the epoch */
    uint8_t serial[LIMIT_SERIAL]; /* big-endian, without leading zeros; the rest is 0 */
    uint8_t serial_len;
    uint8_t reason; /* RFC 5280, 5.3.1; 0: none is given */
};

/* A list as it stands in memory that is somebody else's: the spans point there. */
struct crl {
    struct bytes issuer; /* Name, DER */
    struct signed_data body;
    uint64_t this_update; /* seconds since the epoch */
    uint64_t next_update;
    struct bytes entries; /* the contents of revokedCertificates */
    size_t num_entries;
};

/* crl_parse reads a list, whose every entry has its form too; who signed it, and whether it is the time for it, is not looked at.
 * ERR_INPUT with a diagnostic that says what is wrong and what to do. */
MUST_CHECK enum err crl_parse(struct crl *out, struct bytes der, struct diag *diag);

/* crl_next takes the next entry out of entries, those of a list that crl_parse has read. False: there is none. */
bool crl_next(struct crl_entry *out, struct bytes *entries);

/* crl_serial writes a serial number, the contents of an INTEGER, as entries have it. False: it is negative, or too long. */
bool crl_serial(struct crl_entry *out, struct bytes integer);

/* crl_reason_name returns "keyCompromise" and the like, or NULL where no reason is given. */
const char *crl_reason_name(unsigned reason);

#endif
