/* The header fields that every answer carries: security fields by default, and what an operator sets. */
#ifndef KEYWARD_WEB_HTTP_HEADER_TABLE_H
#define KEYWARD_WEB_HTTP_HEADER_TABLE_H

#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

#define HEADER_TABLE_DEFAULTS 6u
#define HEADER_TABLE_FIELDS (HEADER_TABLE_DEFAULTS + LIMIT_HEADERS)

struct header_table_field {
    const char *name;
    const char *value;
};

struct header_table {
    struct header_table_field fields[HEADER_TABLE_FIELDS];
    size_t num_fields;
    const char *hsts; /* Strict-Transport-Security, which not every host gets; NULL: none does */
    char *text;       /* what the fields point into, besides constants */
};

/* header_table_new takes the defaults and changes them by the lines, NAME:VALUE each, checked before (proto/header.h):
 * a value takes the place of a default or adds a field, an empty value takes a field away. ERR_MEMORY. */
MUST_CHECK enum err header_table_new(struct header_table **out, const char *const *lines, size_t num_lines);

/* header_table_free: NULL is allowed. */
void header_table_free(struct header_table *table);

#endif
