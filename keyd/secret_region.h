/* Pages for secrets, between two guard pages. */
#ifndef KEYWARD_KEYD_SECRET_REGION_H
#define KEYWARD_KEYD_SECRET_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum secret_kind {
    SECRET_MEMFD, /* memfd_secret(2): not even the kernel's own mappings of memory hold these pages */
    SECRET_LOCKED /* anonymous memory that is locked and left out of core dumps */
};

struct secret_region {
    uint8_t *data;
    size_t len;
    enum secret_kind kind;
};

/* secret_region_map maps len bytes, a multiple of the page size, for the life of the process. They are never swapped
 * and never in a core dump, and a forked child does not have them.
 * ERR_NOT_FOUND: the kernel does not have this kind. ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err secret_region_map(struct secret_region *out, size_t len, enum secret_kind kind, struct diag *diag);

#endif
