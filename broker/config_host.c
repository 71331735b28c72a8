/* Options about everything behind web: [browser], [keyd], [audit], [broker]. */
#include "broker/config_table.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/auto.h"
#include "broker/value.h"
#include "proto/field.h"

static enum err set_browser(struct config *config, const char *value, struct diag *diag)
{
    static const char *const names[] = {
        [CONFIG_BROWSER_CHROMIUM] = "chromium", [CONFIG_BROWSER_FIREFOX] = "firefox", [CONFIG_BROWSER_COG] = "cog",
        [CONFIG_BROWSER_EPIPHANY] = "epiphany", [CONFIG_BROWSER_NONE] = "none",
    };
    for (size_t i = CONFIG_BROWSER_CHROMIUM; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) != 0) continue;
        config->browser = (enum config_browser)i;
        return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT,
                    "'%s' is not a browser that Keyward starts; want chromium, firefox, cog, epiphany or none", value);
}

static enum err set_window(struct config *config, const char *value, struct diag *diag)
{
    return value_switch(&config->window, value, diag);
}

static enum err set_headless(struct config *config, const char *value, struct diag *diag)
{
    return value_switch(&config->headless, value, diag);
}

static enum err set_heartbeat(struct config *config, const char *value, struct diag *diag)
{
    uint64_t seconds;
    enum err err = value_duration(&seconds, value, LIMIT_HEARTBEAT_MIN_S, LIMIT_HEARTBEAT_S, diag);
    if (err == ERR_OK) config->heartbeat_s = (uint32_t)seconds;
    return err;
}

static enum err set_lifetime(uint32_t *out, const char *value, uint64_t max_s, struct diag *diag)
{
    uint64_t seconds;
    enum err err = value_duration(&seconds, value, 60, max_s, diag);
    if (err == ERR_OK) *out = (uint32_t)seconds;
    return err;
}

static enum err set_ca_lifetime(struct config *config, const char *value, struct diag *diag)
{
    return set_lifetime(&config->ca_lifetime_s, value, LIMIT_CA_LIFETIME_S, diag);
}

static enum err set_leaf_lifetime(struct config *config, const char *value, struct diag *diag)
{
    return set_lifetime(&config->leaf_lifetime_s, value, LIMIT_LEAF_LIFETIME_S, diag);
}

static enum err set_client_name(struct config *config, const char *value, struct diag *diag)
{
    enum err err = value_text(config->client_name, sizeof config->client_name, value, diag);
    if (err != ERR_OK || field_text(value, 1, LIMIT_LABEL)) return err;
    return diag_set(diag, ERR_INPUT, "the value is not UTF-8, which names in certificates are");
}

static enum err add_name(struct config *config, const char *text, struct diag *diag)
{
    struct config_name name = {0};
    if (inet_pton(AF_INET, text, name.ip) == 1) {
        name.ip_len = 4;
    } else if (inet_pton(AF_INET6, text, name.ip) == 1) {
        name.ip_len = 16;
    } else if (value_dns_name(text)) {
        memcpy(name.dns, text, strlen(text) + 1);
    } else {
        return diag_set(diag, ERR_INPUT, "'%s' is neither a DNS name nor an IP address", text);
    }
    if (config->num_names == LIMIT_NAMES) return diag_set(diag, ERR_INPUT, "more than %u names", LIMIT_NAMES);
    config->names[config->num_names++] = name;
    return ERR_OK;
}

enum err config_set_names(struct config *config, const char *value, struct diag *diag)
{
    AUTO_FREE char *copy = strdup(value);
    char *rest = NULL;
    if (!copy) return diag_set(diag, ERR_MEMORY, "no memory");
    config->num_names = 0;
    for (char *name = strtok_r(copy, ", \t", &rest); name; name = strtok_r(NULL, ", \t", &rest)) {
        enum err err = add_name(config, name, diag);
        if (err != ERR_OK) return err;
    }
    return config->num_names > 0 ? ERR_OK : diag_set(diag, ERR_INPUT, "the value is empty");
}

static enum err set_audit_policy(struct config *config, const char *value, struct diag *diag)
{
    config->audit_continue = strcmp(value, "continue") == 0;
    if (config->audit_continue || strcmp(value, "refuse") == 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT,
                    "'%s' is no policy; want refuse (no handle is used while the log cannot be written) or continue",
                    value);
}

static enum err set_audit_interval(struct config *config, const char *value, struct diag *diag)
{
    uint64_t seconds;
    enum err err = value_duration(&seconds, value, 1, LIMIT_AUDIT_INTERVAL_S, diag);
    if (err == ERR_OK) config->audit_interval_s = (uint32_t)seconds;
    return err;
}

static const struct config_option rows[] = {
    {.section = "browser",
     .key = "browser",
     .at_start = true,
     .flag = "--browser",
     .set = set_browser,
     .argument = "NAME",
     .help = "the browser to start: chromium (the default), firefox, cog or epiphany"},
    {.section = "browser",
     .key = "browser",
     .at_start = true,
     .flag = "--no-browser",
     .fixed = "none",
     .set = set_browser,
     .help = "start no browser"},
    {.section = "browser",
     .key = "headless",
     .at_start = true,
     .flag = "--headless",
     .fixed = "yes",
     .set = set_headless,
     .help = "start the browser without a screen"},
    {.section = "browser",
     .key = "window",
     .flag = "--window",
     .fixed = "yes",
     .set = set_window,
     .help = "a window with developer tools and all, in place of a kiosk"},
    {.section = "browser",
     .key = "screenshot",
     .at_start = true,
     .flag = "--screenshot",
     .path = CONFIG_PATH(screenshot),
     .argument = "FILE",
     .help = "with --headless: write one picture of the page (PNG) to FILE"},
    {.section = "browser",
     .key = "heartbeat",
     .at_start = true,
     .flag = "--heartbeat",
     .set = set_heartbeat,
     .argument = "TIME",
     .help = "restart the browser when its page asks for nothing for so long"},
    {.section = "keyd", .key = "names", .at_start = true, .set = config_set_names},
    {.section = "keyd", .key = "ca_lifetime", .at_start = true, .set = set_ca_lifetime},
    {.section = "keyd", .key = "leaf_lifetime", .at_start = true, .set = set_leaf_lifetime},
    {.section = "keyd", .key = "client_name", .at_start = true, .set = set_client_name},
    {.section = "keyd",
     .key = "server_certificate",
     .flag = "--server-certificate",
     .path = CONFIG_PATH(server_certificate),
     .argument = "FILE",
     .help = "the server's certificate and its issuers (PEM, leaf first), in place of what keyd makes"},
    {.section = "keyd",
     .key = "server_key",
     .flag = "--server-key",
     .path = CONFIG_PATH(server_key),
     .argument = "FILE",
     .help = "its private key (PEM): ECDSA P-256 or P-384, or RSA of 2048, 3072 or 4096 bits"},
    {.section = "keyd",
     .key = "server_ocsp",
     .flag = "--server-ocsp",
     .path = CONFIG_PATH(server_ocsp),
     .argument = "FILE",
     .help = "what its CA's OCSP responder says of that certificate (DER): it is stapled"},
    {.section = "keyd",
     .key = "client_certificate",
     .at_start = true,
     .flag = "--client-certificate",
     .path = CONFIG_PATH(client_certificate),
     .argument = "FILE",
     .help = "the same for the client that the browser is"},
    {.section = "keyd",
     .key = "client_key",
     .at_start = true,
     .flag = "--client-key",
     .path = CONFIG_PATH(client_key),
     .argument = "FILE",
     .help = "its private key"},
    {.section = "audit",
     .key = "file",
     .at_start = true,
     .flag = "--audit",
     .path = CONFIG_PATH(audit_file),
     .argument = "FILE",
     .help = "the audit log (audit.jsonl in the runtime directory)"},
    {.section = "audit",
     .key = "policy",
     .at_start = true,
     .flag = "--audit-policy",
     .set = set_audit_policy,
     .argument = "refuse|continue",
     .help = "what becomes of handles while the log cannot be written (refuse)"},
    {.section = "audit",
     .key = "interval",
     .at_start = true,
     .flag = "--audit-interval",
     .set = set_audit_interval,
     .argument = "TIME",
     .help = "between the log's signed heads (60s)"},
    {.section = "broker",
     .key = "runtime_dir",
     .at_start = true,
     .flag = "--runtime-dir",
     .path = CONFIG_PATH(runtime_dir),
     .argument = "DIR",
     .help = "where the control socket is (/run/keyward for root, else $XDG_RUNTIME_DIR/keyward)"},
};

const struct config_table config_host_options = {rows, sizeof rows / sizeof *rows};
