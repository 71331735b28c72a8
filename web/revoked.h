/* The serial numbers of revoked client certificates. Whose they are is not looked at: a serial number is revoked for every CA
 * that this server trusts. */
#ifndef KEYWARD_WEB_REVOKED_H
#define KEYWARD_WEB_REVOKED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

/* As certificate_text has it. */
struct revoked_serial {
    char text[2 * LIMIT_SERIAL + 1];
};

/* Zero state: none. Sorted. */
struct revoked {
    struct revoked_serial serials[LIMIT_REVOKED_SERIALS];
    size_t num;
};

/* revoked_add adds a serial number (field_serial). ERR_TOO_LARGE: there are LIMIT_REVOKED_SERIALS others. */
MUST_CHECK enum err revoked_add(struct revoked *revoked, struct bytes serial);

/* revoked_has says whether the serial number, as certificate_text has it, is among them. */
bool revoked_has(const struct revoked *revoked, const char *serial);

#endif
