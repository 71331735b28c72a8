#include "web/revoked.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct revoked_serial *)a)->text, ((const struct revoked_serial *)b)->text);
}

bool revoked_has(const struct revoked *revoked, const char *serial)
{
    struct revoked_serial wanted = {{0}};
    if (strlen(serial) >= sizeof wanted.text) return false;
    memcpy(wanted.text, serial, strlen(serial));
    return bsearch(&wanted, revoked->serials, revoked->num, sizeof wanted, compare) != NULL;
}

enum err revoked_add(struct revoked *revoked, struct bytes serial)
{
    struct revoked_serial added = {{0}};
    bytes_hex(added.text, serial);
    if (revoked_has(revoked, added.text)) return ERR_OK;
    if (revoked->num == LIMIT_REVOKED_SERIALS) return ERR_TOO_LARGE;
    size_t at = revoked->num;
    while (at > 0 && compare(&revoked->serials[at - 1], &added) > 0) at--;
    memmove(&revoked->serials[at + 1], &revoked->serials[at], (revoked->num - at) * sizeof added);
    revoked->serials[at] = added;
    revoked->num++;
    return ERR_OK;
}
