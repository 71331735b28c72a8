/* Options about who may connect, where, and on what terms: [listen], [echo], [tls], [limits], [metrics]. */
#include "broker/config_table.h"

#include <string.h>

#include "base/auto.h"
#include "broker/value.h"

enum err config_set_listen(struct config *config, const char *value, struct diag *diag)
{
    config->listens = strcmp(value, "none") != 0;
    return config->listens ? address_parse(&config->listen, value, diag) : ERR_OK;
}

static enum err set_echo(struct config *config, const char *value, struct diag *diag)
{
    config->echoes = strcmp(value, "none") != 0;
    return config->echoes ? address_parse(&config->echo, value, diag) : ERR_OK;
}

static enum err set_tls_mode(struct config *config, const char *value, struct diag *diag)
{
    for (unsigned mode = 0; mode < TLS_MODE_NUM; mode++) {
        if (strcmp(value, tls_mode_name((enum tls_mode)mode)) != 0) continue;
        config->tls_mode = (enum tls_mode)mode;
        return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT,
                    "'%s' is no mode; want mutual (clients need a certificate), optional (or have none), server (are "
                    "not asked for one) or off (no TLS, on loopback)",
                    value);
}

static enum err set_min_version(struct config *config, const char *value, struct diag *diag)
{
    config->tls.tls12 = strcmp(value, "1.2") == 0;
    if (config->tls.tls12 || strcmp(value, "1.3") == 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' is no version that is safe; want 1.2 or 1.3", value);
}

/* Names with spaces or commas between them, as a set. */
static enum err read_choice(uint32_t *out, enum tls_choice choice, const char *what, const char *value,
                            struct diag *diag)
{
    AUTO_FREE char *copy = strdup(value);
    char *rest = NULL, all[TLS_CHOICE_LIST];
    if (!copy) return diag_set(diag, ERR_MEMORY, "no memory");
    tls_choice_list(all, choice, UINT32_MAX, ", ");
    *out = 0;
    for (char *name = strtok_r(copy, ", \t", &rest); name; name = strtok_r(NULL, ", \t", &rest)) {
        const uint32_t bit = tls_choice_bit(choice, name);
        if (bit == 0) return diag_set(diag, ERR_INPUT, "'%s' is no %s that is taken; choose of %s", name, what, all);
        *out |= bit;
    }
    return *out != 0 ? ERR_OK : diag_set(diag, ERR_INPUT, "the value is empty; choose of %s", all);
}

static enum err set_resumption(struct config *config, const char *value, struct diag *diag)
{
    return value_switch(&config->resumption, value, diag);
}

static enum err set_groups(struct config *config, const char *value, struct diag *diag)
{
    return read_choice(&config->tls.groups, TLS_CHOICE_GROUPS, "group", value, diag);
}

static enum err set_suites(struct config *config, const char *value, struct diag *diag)
{
    return read_choice(&config->tls.suites, TLS_CHOICE_SUITES, "suite of TLS 1.2", value, diag);
}

static enum err set_limit(uint32_t *out, const char *value, struct diag *diag)
{
    uint64_t number = 0;
    enum err err = strcmp(value, "none") == 0 ? ERR_OK : value_number(&number, value, 1, LIMIT_CONNECTIONS, diag);
    if (err == ERR_OK) *out = (uint32_t)number;
    return err;
}

static enum err set_connections(struct config *config, const char *value, struct diag *diag)
{
    return set_limit(&config->limits.connections, value, diag);
}

static enum err set_address_connections(struct config *config, const char *value, struct diag *diag)
{
    return set_limit(&config->limits.address_connections, value, diag);
}

static enum err set_address_handshakes(struct config *config, const char *value, struct diag *diag)
{
    return set_limit(&config->limits.address_handshakes, value, diag);
}

static enum err set_metrics(struct config *config, const char *value, struct diag *diag)
{
    static const char unix_prefix[] = "unix:";
    if (strcmp(value, "none") == 0) {
        config->metrics = CONFIG_METRICS_NONE;
        return ERR_OK;
    }
    if (strncmp(value, unix_prefix, strlen(unix_prefix)) == 0) {
        config->metrics = CONFIG_METRICS_PATH;
        return value_text(config->metrics_path, sizeof config->metrics_path, value + strlen(unix_prefix), diag);
    }
    config->metrics = CONFIG_METRICS_ADDRESS;
    enum err err = address_parse(&config->metrics_address, value, diag);
    if (err != ERR_OK || address_is_loopback(&config->metrics_address)) return err;
    return diag_set(diag, ERR_INPUT,
                    "'%s' is not on loopback, and whoever reaches it would read it without a certificate; want "
                    "unix:PATH, 127.0.0.1:PORT or none",
                    value);
}

static const struct config_option rows[] = {
    {.section = "listen",
     .key = "address",
     .at_start = true,
     .flag = "--listen",
     .set = config_set_listen,
     .argument = "ADDR:PORT|none",
     .help = "the page's address on this host (127.0.0.1:9000); none: only inside the browser's namespace"},
    {.section = "echo",
     .key = "address",
     .at_start = true,
     .flag = "--echo",
     .set = set_echo,
     .argument = "ADDR:PORT",
     .help = "echo lines over mutual TLS at this address"},
    {.section = "tls",
     .key = "mode",
     .flag = "--tls-mode",
     .set = set_tls_mode,
     .argument = "MODE",
     .help = "of the page on this host: mutual (the default), optional, server, or off (loopback only)"},
    {.section = "tls",
     .key = "min_version",
     .flag = "--tls-min-version",
     .set = set_min_version,
     .argument = "VERSION",
     .help = "1.2 (the default) or 1.3"},
    {.section = "tls",
     .key = "crl",
     .flag = "--crl",
     .path = CONFIG_PATH(crl),
     .argument = "FILE",
     .help = "revocation lists of the CAs of --client-ca, PEM or DER; each of them needs one"},
    {.section = "tls", .key = "resumption", .at_start = true, .set = set_resumption},
    {.section = "tls", .key = "groups", .set = set_groups},
    {.section = "tls", .key = "suites", .set = set_suites},
    {.section = "limits", .key = "connections", .set = set_connections},
    {.section = "limits", .key = "address_connections", .set = set_address_connections},
    {.section = "limits", .key = "address_handshakes", .set = set_address_handshakes},
    {.section = "metrics",
     .key = "listen",
     .at_start = true,
     .flag = "--metrics",
     .set = set_metrics,
     .argument = "WHERE",
     .help = "/metrics and /healthz: unix:PATH, 127.0.0.1:PORT or none (the socket metrics in the runtime directory)"},
};

const struct config_table config_listen_options = {rows, sizeof rows / sizeof *rows};
