#include "broker/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/check.h"
#include "broker/config_table.h"
#include "broker/value.h"

/* In the order of --help. */
static const struct config_table *const tables[] = {
    &config_listen_options, &config_http_options,        &config_stream_options,
    &config_host_options,   &config_certificate_options,
};

/* The row with that number, counted through all tables; NULL behind the last. */
static const struct config_option *option_at(size_t number)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (number < tables[i]->num_rows) return &tables[i]->rows[number];
        number -= tables[i]->num_rows;
    }
    return NULL;
}

void config_defaults(struct config *out)
{
    *out = (struct config){
        .tls.tls12 = true,
        .resumption = true,
        .max_upload_bytes = UINT64_C(64) << 20,
        .idle_timeout_ms = DEADLINE_IDLE_MS,
        .immutable = true,
        .browser = CONFIG_BROWSER_IF_POSSIBLE,
        .ca_lifetime_s = 8 * 86400,
        .leaf_lifetime_s = 7 * 86400,
        .client_name = "keyward-kiosk",
        .audit_interval_s = 60,
    };
    enum err err = config_set_listen(out, "127.0.0.1:9000", NULL);
    if (err == ERR_OK) err = config_set_names(out, "localhost 127.0.0.1 ::1", NULL);
    (void)err; /* no memory: config_check finds the names missing */
}

static bool is_same(const struct config_option *a, const struct config_option *b)
{
    if (strcmp(a->section, b->section) != 0 || (a->key == NULL) != (b->key == NULL)) return false;
    return a->key == NULL || strcmp(a->key, b->key) == 0;
}

/* The first of the rows that set the same. */
static size_t number_of(const struct config_option *option)
{
    const struct config_option *other;
    size_t i = 0;
    while ((other = option_at(i)) != NULL && !is_same(other, option)) i++;
    return i;
}

/* FNV-1a: it tells what is different, not what somebody wants to look the same. What has many settings is all of them. */
static void note_said(struct config *config, const struct config_option *option, const char *value)
{
    uint64_t *said = &config->said[number_of(option)];
    uint64_t digest = option->has != NULL && *said != 0 ? *said : UINT64_C(0xcbf29ce484222325);
    do digest = (digest ^ (uint8_t)*value) * UINT64_C(0x100000001b3);
    while (*value++ != '\0');
    *said = digest != 0 ? digest : 1;
}

static enum err set_option(struct config *config, const struct config_option *option, const char *value,
                           struct diag *diag)
{
    note_said(config, option, value);
    if (option->set != NULL) return option->set(config, value, diag);
    return value_text((char *)config + option->path, LIMIT_PATH + 1, value, diag);
}

static bool is_named(const struct config_option *option)
{
    return strchr(option->section, '"') != NULL;
}

/* [section], or [section "name"] where sections have names. */
static bool is_section(const struct config_option *option, const char *section)
{
    size_t len = strlen(option->section);
    if (!is_named(option)) return strcmp(option->section, section) == 0;
    return strncmp(option->section, section, len) == 0 && strlen(section) > len + 1 &&
           section[strlen(section) - 1] == '"';
}

/* What distinguishes this setting of the option from others of it: the section's name without its quotes, or the key. */
static const char *name_of(const struct config_option *option, const char *section, const char *key, size_t *out_len)
{
    size_t len = strlen(option->section);
    *out_len = is_named(option) ? strlen(section) - len - 1 : strlen(key);
    return is_named(option) ? section + len : key;
}

int config_row_of(const char *section, const char *key)
{
    const struct config_option *option;
    for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
        if (!is_section(option, section)) continue;
        if (option->key != NULL && strcmp(option->key, key) != 0) continue;
        CHECK(i < CONFIG_MAX_ROWS);
        return (int)i;
    }
    return -1;
}

bool config_has_section(const char *section)
{
    const struct config_option *option;
    for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
        if (is_section(option, section)) return true;
    }
    return false;
}

enum err config_set(struct config *config, const char *section, const char *key, const char *value, struct diag *diag)
{
    AUTO_FREE char *line = NULL;
    size_t name_len;
    int row = config_row_of(section, key);
    if (row < 0) return diag_set(diag, ERR_NOT_FOUND, "there is no option '%s' in [%s]", key, section);
    const struct config_option *option = option_at((size_t)row);
    if (option->has == NULL) return set_option(config, option, value, diag);
    const char *name = name_of(option, section, key, &name_len);
    if (is_named(option) && memchr(name, '=', name_len) != NULL)
        return diag_set(diag, ERR_INPUT, "'%.*s' has a '=' in it", (int)name_len, name);
    if (asprintf(&line, "%.*s%c%s", (int)name_len, name, is_named(option) ? '=' : ':', value) < 0) {
        line = NULL;
        return diag_set(diag, ERR_MEMORY, "no memory");
    }
    return set_option(config, option, line, diag);
}

bool config_repeats(int row)
{
    return option_at((size_t)row)->has != NULL;
}

bool config_is_set(const struct config *config, const char *section, const char *key)
{
    size_t len;
    int row = config_row_of(section, key);
    const struct config_option *option = row < 0 ? NULL : option_at((size_t)row);
    if (option == NULL || option->has == NULL) return false;
    const char *name = name_of(option, section, key, &len);
    return option->has(config, name, len);
}

static const struct config_option *option_of_flag(const char *flag)
{
    const struct config_option *option;
    for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
        if (option->flag && strcmp(option->flag, flag) == 0) return option;
    }
    return NULL;
}

enum config_flag config_flag_kind(const char *flag)
{
    const struct config_option *option = option_of_flag(flag);
    if (option == NULL) return CONFIG_FLAG_UNKNOWN;
    return option->fixed ? CONFIG_FLAG_ALONE : CONFIG_FLAG_TAKES_VALUE;
}

enum err config_set_flag(struct config *config, const char *flag, const char *value, struct diag *diag)
{
    struct diag why = {0};
    const struct config_option *option = option_of_flag(flag);
    if (option == NULL) return diag_set(diag, ERR_INPUT, "there is no flag '%s'", flag);
    enum err err = set_option(config, option, option->fixed ? option->fixed : value, &why);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "%s: %s", flag, why.text);
}

void config_print_flags(FILE *out)
{
    const struct config_option *option;
    for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
        if (!option->flag) continue;
        char left[48];
        snprintf(left, sizeof left, "%s %s", option->flag, option->argument ? option->argument : "");
        fprintf(out, "  %-26s %s\n", left, option->help);
    }
}

/* [proxy "NAME"] upstream is called [proxy] upstream here. */
static void add_option(char *out, size_t out_len, const struct config_option *option)
{
    const size_t len = strlen(out);
    snprintf(out + len, out_len - len, "%s[%.*s]%s%s", len > 0 ? ", " : "", (int)strcspn(option->section, " "),
             option->section, option->key ? " " : "", option->key ? option->key : "");
}

bool config_changes(char *out, size_t out_len, const struct config *before, const struct config *after,
                    enum config_which which)
{
    const struct config_option *option;
    out[0] = '\0';
    for (size_t i = 0; (option = option_at(i)) != NULL; i++) {
        if (before->said[i] == after->said[i] || (which == CONFIG_AT_START && !option->at_start)) continue;
        add_option(out, out_len, option);
    }
    return out[0] != '\0';
}
