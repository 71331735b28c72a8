/* How the options are told: each file of them (config_listen.c, config_http.c, config_stream.c, config_certificates.c, config_host.c) has a table, and config.c
 * knows nothing but the tables. */
#ifndef KEYWARD_BROKER_CONFIG_TABLE_H
#define KEYWARD_BROKER_CONFIG_TABLE_H

#include <stddef.h>

#include "broker/config.h"

/* Two rows may set the same key: then they are two flags for it. */
struct config_option {
    /* A section's name, up to and with the quote where it is to be continued, as in [proxy "NAME"]: then the setter gets
     * NAME=VALUE. */
    const char *section;
    const char *key;      /* NULL: every key of the section; then the setter gets KEY:VALUE */
    const char *flag;     /* NULL: only in the file */
    const char *fixed;    /* what a flag that stands alone stands for */
    const char *argument; /* these two for --help; NULL if there is no flag, or no argument */
    const char *help;

    bool at_start; /* it cannot be changed while the broker runs */

    /* One of the two. */
    enum err (*set)(struct config *config, const char *value, struct diag *diag);
    size_t path; /* CONFIG_PATH(member): the value is copied to that member, LIMIT_PATH + 1 bytes */

    /* Of a section that is there any number of times, or of a row without a key: whether that name has a value. */
    bool (*has)(const struct config *config, const char *name, size_t len);
};

#define CONFIG_PATH(member) offsetof(struct config, member)
/* listens is the first member, so no path is at 0, which stands for none. */
_Static_assert(offsetof(struct config, listens) == 0, "a path's place is not 0");

struct config_table {
    const struct config_option *rows;
    size_t num_rows;
};

extern const struct config_table config_listen_options;
extern const struct config_table config_http_options;
extern const struct config_table config_stream_options;
extern const struct config_table config_host_options;
extern const struct config_table config_certificate_options;

/* config_set_listen and config_set_names are setters that the defaults go through as well. */
MUST_CHECK enum err config_set_listen(struct config *config, const char *value, struct diag *diag);
MUST_CHECK enum err config_set_names(struct config *config, const char *value, struct diag *diag);

#endif
