/* Header fields that a person adds to a request. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_FIELD_H
#define KEYWARD_BROWSER_SHIM_CLIENT_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

struct client_fields {
    const char *lines[LIMIT_CLIENT_FIELDS]; /* "Name: value" (RFC 9112, 5), the caller's */
    size_t num;
    size_t len; /* of all of them */
};

/* client_fields_add checks and adds a line. ERR_INPUT: it is not a field, it is one that the client writes itself, or there
 * are too many. */
MUST_CHECK enum err client_fields_add(struct client_fields *fields, const char *line, struct diag *diag);

/* client_fields_have says whether there is a field of that name, in whatever case. */
bool client_fields_have(const struct client_fields *fields, const char *name);

#endif
