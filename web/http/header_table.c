#include "web/http/header_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* No script, style, image or connection but from this origin, no inline script at all, no frame around it, and nothing
 * of the machine that a page has not been given. */
static const struct header_table_field defaults[HEADER_TABLE_DEFAULTS] = {
    {"Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
                                "object-src 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), "
                           "microphone=(), payment=(), usb=()"},
};

static const char hsts_name[] = "Strict-Transport-Security";
static const char hsts_default[] = "max-age=31536000";

static size_t find(const struct header_table *table, const char *name)
{
    size_t i = 0;
    while (i < table->num_fields && strcasecmp(table->fields[i].name, name) != 0) i++;
    return i;
}

static void set(struct header_table *table, const char *name, const char *value)
{
    bool removes = value[0] == '\0';
    if (strcasecmp(name, hsts_name) == 0) {
        table->hsts = removes ? NULL : value;
        return;
    }
    size_t at = find(table, name);
    if (!removes) {
        CHECK(at < HEADER_TABLE_FIELDS);
        table->fields[at] = (struct header_table_field){name, value};
        if (at == table->num_fields) table->num_fields++;
    } else if (at < table->num_fields) {
        table->num_fields--;
        memmove(&table->fields[at], &table->fields[at + 1], (table->num_fields - at) * sizeof(table->fields[0]));
    }
}

enum err header_table_new(struct header_table **out, const char *const *lines, size_t num_lines)
{
    CHECK(num_lines <= LIMIT_HEADERS);
    size_t text_len = 1;
    for (size_t i = 0; i < num_lines; i++) text_len += strlen(lines[i]) + 1;
    struct header_table *table = calloc(1, sizeof(*table));
    if (table == NULL) return ERR_MEMORY;
    table->text = malloc(text_len);
    if (table->text == NULL) {
        free(table);
        return ERR_MEMORY;
    }
    memcpy(table->fields, defaults, sizeof(defaults));
    table->num_fields = HEADER_TABLE_DEFAULTS;
    table->hsts = hsts_default;
    char *at = table->text;
    for (size_t i = 0; i < num_lines; i++) {
        size_t len = strlen(lines[i]);
        memcpy(at, lines[i], len + 1);
        char *colon = strchr(at, ':');
        CHECK(colon != NULL);
        *colon = '\0';
        set(table, at, colon + 1);
        at += len + 1;
    }
    *out = table;
    return ERR_OK;
}

void header_table_free(struct header_table *table)
{
    if (table == NULL) return;
    free(table->text);
    free(table);
}
