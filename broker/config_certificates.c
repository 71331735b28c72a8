/* Options about server certificates that are chosen by name: [certificate "NAME"]. */
#include <stdbool.h>
#include <string.h>

#include "broker/config_table.h"
#include "broker/value.h"

/* It is also what the certificate is called in the status, in metrics and in diagnostics. */
static bool is_name(const char *text, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*";
    return len > 0 && len <= LIMIT_SERVER_SECTION && strspn(text, letters) >= len;
}

static size_t find(const struct config *config, const char *name, size_t len)
{
    size_t i = 0;
    while (i < config->num_certificates &&
           (strlen(config->certificates[i].name) != len || strncmp(config->certificates[i].name, name, len) != 0))
        i++;
    return i;
}

/* line is NAME=VALUE. Returns the row of that name, perhaps a new one, and the value. */
static enum err take_row(struct config_certificate **out, const char **out_value, struct config *config,
                         const char *line, struct diag *diag)
{
    const size_t len = strcspn(line, "=");
    if (!is_name(line, len))
        return diag_set(diag, ERR_INPUT,
                        "'%.*s' is no name for a certificate; want 1 to %u letters, digits, '.', '-', '_' or '*'",
                        (int)len, line, LIMIT_SERVER_SECTION);
    *out_value = line + len + 1;
    const size_t at = find(config, line, len);
    if (at == LIMIT_SERVER_CERTIFICATES)
        return diag_set(diag, ERR_INPUT, "more than %u certificates", LIMIT_SERVER_CERTIFICATES);
    *out = &config->certificates[at];
    if (at < config->num_certificates) return ERR_OK;
    config->num_certificates++;
    memcpy((*out)->name, line, len);
    (*out)->name[len] = '\0';
    return ERR_OK;
}

static enum err set_certificate(struct config *config, const char *line, struct diag *diag)
{
    struct config_certificate *row;
    const char *value;
    enum err err = take_row(&row, &value, config, line, diag);
    return err == ERR_OK ? value_text(row->certificate, sizeof row->certificate, value, diag) : err;
}

static enum err set_key(struct config *config, const char *line, struct diag *diag)
{
    struct config_certificate *row;
    const char *value;
    enum err err = take_row(&row, &value, config, line, diag);
    return err == ERR_OK ? value_text(row->key, sizeof row->key, value, diag) : err;
}

static enum err set_ocsp(struct config *config, const char *line, struct diag *diag)
{
    struct config_certificate *row;
    const char *value;
    enum err err = take_row(&row, &value, config, line, diag);
    return err == ERR_OK ? value_text(row->ocsp, sizeof row->ocsp, value, diag) : err;
}

static bool has_certificate(const struct config *config, const char *name, size_t len)
{
    const size_t at = find(config, name, len);
    return at < config->num_certificates && config->certificates[at].certificate[0] != '\0';
}

static bool has_key(const struct config *config, const char *name, size_t len)
{
    const size_t at = find(config, name, len);
    return at < config->num_certificates && config->certificates[at].key[0] != '\0';
}

static bool has_ocsp(const struct config *config, const char *name, size_t len)
{
    const size_t at = find(config, name, len);
    return at < config->num_certificates && config->certificates[at].ocsp[0] != '\0';
}

static const struct config_option rows[] = {
    {.section = "certificate \"", .key = "certificate", .set = set_certificate, .has = has_certificate},
    {.section = "certificate \"", .key = "key", .set = set_key, .has = has_key},
    {.section = "certificate \"", .key = "ocsp", .set = set_ocsp, .has = has_ocsp},
};

const struct config_table config_certificate_options = {rows, sizeof rows / sizeof *rows};
