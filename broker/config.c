#include "broker/config.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/auto.h"
#include "broker/value.h"
#include "proto/field.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))

typedef enum err (*setter)(struct config *config, const char *value, struct diag *diag);

static enum err set_listen(struct config *config, const char *value, struct diag *diag)
{
    config->listens = strcmp(value, "none") != 0;
    return config->listens ? address_parse(&config->listen, value, diag) : ERR_OK;
}

static enum err set_echo(struct config *config, const char *value, struct diag *diag)
{
    config->echoes = strcmp(value, "none") != 0;
    return config->echoes ? address_parse(&config->echo, value, diag) : ERR_OK;
}

static enum err set_root(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->root, sizeof config->root, value, diag);
}

static enum err set_uploads(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->uploads, sizeof config->uploads, value, diag);
}

static enum err set_client_ca(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->client_ca, sizeof config->client_ca, value, diag);
}

static enum err set_screenshot(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->screenshot, sizeof config->screenshot, value, diag);
}

static enum err set_runtime_dir(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->runtime_dir, sizeof config->runtime_dir, value, diag);
}

static enum err set_audit(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->audit_file, sizeof config->audit_file, value, diag);
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

static enum err set_server_certificate(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->server_certificate, sizeof config->server_certificate, value, diag);
}

static enum err set_server_key(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->server_key, sizeof config->server_key, value, diag);
}

static enum err set_client_certificate(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->client_certificate, sizeof config->client_certificate, value, diag);
}

static enum err set_client_key(struct config *config, const char *value, struct diag *diag)
{
    return value_text(config->client_key, sizeof config->client_key, value, diag);
}

static enum err set_workers(struct config *config, const char *value, struct diag *diag)
{
    uint64_t number;
    enum err err = value_number(&number, value, 1, LIMIT_WORKERS, diag);
    if (err == ERR_OK) config->workers = (uint32_t)number;
    return err;
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

static enum err set_max_upload(struct config *config, const char *value, struct diag *diag)
{
    return value_size(&config->max_upload_bytes, value, 1, UINT64_C(1) << 40, diag);
}

static enum err set_idle_timeout(struct config *config, const char *value, struct diag *diag)
{
    uint64_t seconds;
    enum err err = value_duration(&seconds, value, 1, 3600, diag);
    if (err == ERR_OK) config->idle_timeout_ms = (uint32_t)seconds * 1000;
    return err;
}

static enum err set_spa(struct config *config, const char *value, struct diag *diag)
{
    return value_switch(&config->spa, value, diag);
}

static enum err set_immutable(struct config *config, const char *value, struct diag *diag)
{
    return value_switch(&config->immutable, value, diag);
}

static enum err set_upload_quota(struct config *config, const char *value, struct diag *diag)
{
    config->upload_quota = 0;
    return strcmp(value, "none") == 0 ? ERR_OK : value_size(&config->upload_quota, value, 1, UINT64_C(1) << 50, diag);
}

/* The header with the name that the line begins with; num_headers if there is none. */
static size_t find_header(const struct config *config, const char *line)
{
    size_t i = 0;
    size_t len = strcspn(line, ":");
    while (i < config->num_headers &&
           (strcspn(config->headers[i], ":") != len || strncasecmp(config->headers[i], line, len) != 0))
        i++;
    return i;
}

/* value is NAME:VALUE, with blanks around the value or without. */
static enum err set_header(struct config *config, const char *value, struct diag *diag)
{
    char line[HEADER_LINE_LEN + 2];
    size_t name_len = strcspn(value, ":");
    const char *rest = value[name_len] == ':' ? value + name_len + 1 : value + name_len;
    rest += strspn(rest, " \t");
    int len = snprintf(line, sizeof line, "%.*s:%s", (int)name_len, value, rest);
    const char *fault = value[name_len] == ':' ? NULL : "it has no colon";
    if (fault == NULL && (len < 0 || (size_t)len >= sizeof line)) fault = "it is too long";
    while (fault == NULL && len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t')) line[--len] = '\0';
    if (fault == NULL) fault = header_fault(line);
    if (fault != NULL) return diag_set(diag, ERR_INPUT, "'%.64s' cannot be set: %s", value, fault);
    size_t at = find_header(config, line);
    if (at == LIMIT_HEADERS) return diag_set(diag, ERR_INPUT, "more than %u header fields", LIMIT_HEADERS);
    memcpy(config->headers[at], line, (size_t)len + 1);
    if (at == config->num_headers) config->num_headers++;
    return ERR_OK;
}

static enum err set_access_log(struct config *config, const char *value, struct diag *diag)
{
    static const char *const names[ACCESS_LOG_NUM] = {
        [ACCESS_LOG_TEXT] = "text",
        [ACCESS_LOG_JSON] = "json",
        [ACCESS_LOG_COMBINED] = "combined",
        [ACCESS_LOG_NONE] = "none",
    };
    for (unsigned i = 0; i < ACCESS_LOG_NUM; i++) {
        if (strcmp(value, names[i]) != 0) continue;
        config->access_log = (enum access_log)i;
        return ERR_OK;
    }
    return diag_set(diag, ERR_INPUT, "'%s' is no format of an access log; want text, json, combined or none", value);
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

static size_t find_proxy(const struct config *config, const char *prefix, size_t len)
{
    size_t i = 0;
    while (i < config->num_proxies &&
           (strlen(config->proxies[i].prefix) != len || strncmp(config->proxies[i].prefix, prefix, len) != 0))
        i++;
    return i;
}

/* value is PREFIX=UPSTREAM. */
static enum err set_proxy(struct config *config, const char *value, struct diag *diag)
{
    struct upstream_place place;
    enum err err = upstream_parse(&place, value, diag);
    if (err != ERR_OK) return err;
    size_t at = find_proxy(config, place.prefix, strlen(place.prefix));
    if (at == LIMIT_PROXIES) return diag_set(diag, ERR_INPUT, "more than %u prefixes", LIMIT_PROXIES);
    config->proxies[at] = place;
    if (at == config->num_proxies) config->num_proxies++;
    return ERR_OK;
}

static enum err set_browser(struct config *config, const char *value, struct diag *diag)
{
    config->browser = strcmp(value, "none") == 0 ? CONFIG_BROWSER_NONE : CONFIG_BROWSER_CHROMIUM;
    if (config->browser == CONFIG_BROWSER_NONE || strcmp(value, "chromium") == 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' is not a browser that Keyward starts; want chromium or none", value);
}

static enum err set_headless(struct config *config, const char *value, struct diag *diag)
{
    return value_switch(&config->headless, value, diag);
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

static enum err set_names(struct config *config, const char *value, struct diag *diag)
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

/* Every option. Two rows may set the same key: then they are two flags for it. A row without a key takes every key of
 * its section, and its setter gets KEY:VALUE. Where a section's name is to be continued, as in [proxy "NAME"], the setter gets
 * NAME=VALUE. */
static const struct {
    const char *section;
    const char *key;
    const char *flag;  /* NULL: only in the file */
    const char *fixed; /* what a flag that stands alone stands for */
    setter set;
    const char *argument;
    const char *help;
} options[] = {
    {"listen", "address", "--listen", NULL, set_listen, "ADDR:PORT|none",
     "the page's address on this host (127.0.0.1:9000); none: only inside the browser's namespace"},
    {"web", "root", "--root", NULL, set_root, "DIR", "serve the files in DIR instead of the built-in page"},
    {"web", "client_ca", "--client-ca", NULL, set_client_ca, "FILE",
     "PEM certificates of further CAs whose clients are let in"},
    {"web", "uploads", "--uploads", NULL, set_uploads, "DIR", "take PUT /upload/NAME into DIR"},
    {"web", "workers", "--workers", NULL, set_workers, "N", "web workers (one for each CPU)"},
    {"web", "max_upload", NULL, NULL, set_max_upload, NULL, NULL},
    {"web", "idle_timeout", NULL, NULL, set_idle_timeout, NULL, NULL},
    {"content", "spa", "--spa", "yes", set_spa, NULL,
     "with --root: pages that are not there are index.html's, as a single-page app wants"},
    {"content", "immutable", NULL, NULL, set_immutable, NULL, NULL},
    {"content", "upload_quota", NULL, NULL, set_upload_quota, NULL, NULL},
    {"headers", NULL, "--header", NULL, set_header, "NAME:VALUE",
     "a header field for every answer; without a VALUE: take the default one away"},
    {"proxy \"", "upstream", "--proxy", NULL, set_proxy, "PREFIX=UPSTREAM",
     "pass requests for paths below PREFIX to an application at unix:/PATH or http://127.0.0.1:PORT"},
    {"log", "access", "--access-log", NULL, set_access_log, "FORMAT",
     "text, json, combined or none: what each request leaves on standard error (text)"},
    {"tls", "mode", "--tls-mode", NULL, set_tls_mode, "MODE",
     "of the page on this host: mutual (the default), optional, server, or off (loopback only)"},
    {"tls", "min_version", "--tls-min-version", NULL, set_min_version, "VERSION", "1.2 (the default) or 1.3"},
    {"tls", "resumption", NULL, NULL, set_resumption, NULL, NULL},
    {"tls", "groups", NULL, NULL, set_groups, NULL, NULL},
    {"tls", "suites", NULL, NULL, set_suites, NULL, NULL},
    {"limits", "connections", NULL, NULL, set_connections, NULL, NULL},
    {"limits", "address_connections", NULL, NULL, set_address_connections, NULL, NULL},
    {"limits", "address_handshakes", NULL, NULL, set_address_handshakes, NULL, NULL},
    {"metrics", "listen", "--metrics", NULL, set_metrics, "WHERE",
     "/metrics and /healthz: unix:PATH, 127.0.0.1:PORT or none (the socket metrics in the runtime directory)"},
    {"echo", "address", "--echo", NULL, set_echo, "ADDR:PORT", "echo lines over mutual TLS at this address"},
    {"browser", "browser", "--browser", NULL, set_browser, "chromium", "the browser to start"},
    {"browser", "browser", "--no-browser", "none", set_browser, NULL, "start no browser"},
    {"browser", "headless", "--headless", "yes", set_headless, NULL, "start the browser without a screen"},
    {"browser", "screenshot", "--screenshot", NULL, set_screenshot, "FILE",
     "with --headless: write one picture of the page (PNG) to FILE"},
    {"keyd", "names", NULL, NULL, set_names, NULL, NULL},
    {"keyd", "ca_lifetime", NULL, NULL, set_ca_lifetime, NULL, NULL},
    {"keyd", "leaf_lifetime", NULL, NULL, set_leaf_lifetime, NULL, NULL},
    {"keyd", "client_name", NULL, NULL, set_client_name, NULL, NULL},
    {"keyd", "server_certificate", "--server-certificate", NULL, set_server_certificate, "FILE",
     "the server's certificate and its issuers (PEM, leaf first), in place of what keyd makes"},
    {"keyd", "server_key", "--server-key", NULL, set_server_key, "FILE",
     "its private key (PEM): ECDSA P-256 or P-384, or RSA of 2048, 3072 or 4096 bits"},
    {"keyd", "client_certificate", "--client-certificate", NULL, set_client_certificate, "FILE",
     "the same for the client that the browser is"},
    {"keyd", "client_key", "--client-key", NULL, set_client_key, "FILE", "its private key"},
    {"audit", "file", "--audit", NULL, set_audit, "FILE", "the audit log (audit.jsonl in the runtime directory)"},
    {"audit", "policy", "--audit-policy", NULL, set_audit_policy, "refuse|continue",
     "what becomes of handles while the log cannot be written (refuse)"},
    {"audit", "interval", "--audit-interval", NULL, set_audit_interval, "TIME", "between the log's signed heads (60s)"},
    {"broker", "runtime_dir", "--runtime-dir", NULL, set_runtime_dir, "DIR",
     "where the control socket is (/run/keyward for root, else $XDG_RUNTIME_DIR/keyward)"},
};

_Static_assert(LENGTH_OF(options) <= CONFIG_MAX_ROWS, "every option has a number");

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
    enum err err = set_listen(out, "127.0.0.1:9000", NULL);
    if (err == ERR_OK) err = set_names(out, "localhost 127.0.0.1 ::1", NULL);
    (void)err; /* no memory: config_check finds the names missing */
}

static bool is_named(size_t row)
{
    return strchr(options[row].section, '"') != NULL;
}

/* [section], or [section "name"] where sections have names. */
static bool is_section(size_t row, const char *section)
{
    size_t len = strlen(options[row].section);
    if (!is_named(row)) return strcmp(options[row].section, section) == 0;
    return strncmp(options[row].section, section, len) == 0 && strlen(section) > len + 1 &&
           section[strlen(section) - 1] == '"';
}

/* The name, without its quotes. */
static const char *name_of_section(size_t row, const char *section, size_t *out_len)
{
    size_t len = strlen(options[row].section);
    *out_len = strlen(section) - len - 1;
    return section + len;
}

int config_row_of(const char *section, const char *key)
{
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (!is_section(i, section)) continue;
        if (options[i].key == NULL || strcmp(options[i].key, key) == 0) return (int)i;
    }
    return -1;
}

bool config_has_section(const char *section)
{
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (is_section(i, section)) return true;
    }
    return false;
}

enum err config_set(struct config *config, const char *section, const char *key, const char *value, struct diag *diag)
{
    int row = config_row_of(section, key);
    if (row < 0) return diag_set(diag, ERR_NOT_FOUND, "there is no option '%s' in [%s]", key, section);
    if (options[row].key != NULL && !is_named((size_t)row)) return options[row].set(config, value, diag);
    AUTO_FREE char *line = NULL;
    size_t name_len = strlen(key);
    const char *name = is_named((size_t)row) ? name_of_section((size_t)row, section, &name_len) : key;
    if (is_named((size_t)row) && memchr(name, '=', name_len) != NULL)
        return diag_set(diag, ERR_INPUT, "'%.*s' has a '=' in it", (int)name_len, name);
    if (asprintf(&line, "%.*s%c%s", (int)name_len, name, is_named((size_t)row) ? '=' : ':', value) < 0) {
        line = NULL;
        return diag_set(diag, ERR_MEMORY, "no memory");
    }
    return options[row].set(config, line, diag);
}

bool config_repeats(int row)
{
    return options[row].key == NULL || is_named((size_t)row);
}

bool config_is_set(const struct config *config, const char *section, const char *key)
{
    int row = config_row_of(section, key);
    if (row >= 0 && is_named((size_t)row)) {
        size_t len;
        const char *name = name_of_section((size_t)row, section, &len);
        return find_proxy(config, name, len) < config->num_proxies;
    }
    return row >= 0 && options[row].key == NULL && find_header(config, key) < config->num_headers;
}

static int row_of_flag(const char *flag)
{
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (options[i].flag && strcmp(options[i].flag, flag) == 0) return (int)i;
    }
    return -1;
}

enum config_flag config_flag_kind(const char *flag)
{
    int row = row_of_flag(flag);
    if (row < 0) return CONFIG_FLAG_UNKNOWN;
    return options[row].fixed ? CONFIG_FLAG_ALONE : CONFIG_FLAG_TAKES_VALUE;
}

enum err config_set_flag(struct config *config, const char *flag, const char *value, struct diag *diag)
{
    struct diag why = {0};
    int row = row_of_flag(flag);
    if (row < 0) return diag_set(diag, ERR_INPUT, "there is no flag '%s'", flag);
    if (options[row].fixed) value = options[row].fixed;
    enum err err = options[row].set(config, value, &why);
    return err == ERR_OK ? ERR_OK : diag_set(diag, err, "%s: %s", flag, why.text);
}

void config_print_flags(FILE *out)
{
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (!options[i].flag) continue;
        char left[48];
        snprintf(left, sizeof left, "%s %s", options[i].flag, options[i].argument ? options[i].argument : "");
        fprintf(out, "  %-26s %s\n", left, options[i].help);
    }
}

/* A server on an address of its own is to be reachable under that address. */
static enum err name_address(struct config *config, const struct address *address, struct diag *diag)
{
    size_t len;
    const uint8_t *host = address_host_bytes(address, &len);
    if (address_is_any(address)) return ERR_OK;
    for (size_t i = 0; i < config->num_names; i++) {
        if (config->names[i].ip_len == len && memcmp(config->names[i].ip, host, len) == 0) return ERR_OK;
    }
    if (config->num_names == LIMIT_NAMES) {
        return diag_set(diag, ERR_INPUT, "[keyd] names leaves no room for the addresses listened on; take one out");
    }
    struct config_name *name = &config->names[config->num_names++];
    *name = (struct config_name){.ip_len = len};
    memcpy(name->ip, host, len);
    return ERR_OK;
}

enum err config_check(struct config *config, struct diag *diag)
{
    if (config->num_names == 0) return diag_set(diag, ERR_MEMORY, "no memory");
    if (config->leaf_lifetime_s > config->ca_lifetime_s) {
        return diag_set(diag, ERR_INPUT,
                        "[keyd] leaf_lifetime is longer than ca_lifetime; a CA outlives what it signs");
    }
    if (config->spa && !config->root[0]) {
        return diag_set(diag, ERR_INPUT, "--spa is about the files of a directory; add --root DIR");
    }
    if (config->upload_quota > 0 && !config->uploads[0]) {
        return diag_set(diag, ERR_INPUT, "[content] upload_quota is about a directory; add --uploads DIR");
    }
    if (config->screenshot[0] && !config->headless) {
        return diag_set(diag, ERR_INPUT, "--screenshot is taken by a browser without a screen; add --headless");
    }
    if (config->headless && config->browser == CONFIG_BROWSER_NONE) {
        return diag_set(diag, ERR_INPUT,
                        "--headless goes with a browser, and --no-browser says there is none; drop one");
    }
    if (!config->listens && !config->echoes && config->browser == CONFIG_BROWSER_NONE) {
        return diag_set(diag, ERR_INPUT,
                        "--listen none with --no-browser leaves nothing to serve; drop one, or give --echo ADDR:PORT");
    }
    if (!config->tls.tls12 && config->tls.suites != 0) {
        return diag_set(diag, ERR_INPUT, "[tls] suites are those of TLS 1.2, which min_version leaves out; drop one");
    }
    if (config->tls_mode == TLS_MODE_OFF && config->listens && !address_is_loopback(&config->listen)) {
        char text[ADDRESS_TEXT];
        address_format(text, &config->listen);
        return diag_set(diag, ERR_INPUT,
                        "--tls-mode off serves without encryption and knows nobody, so only on loopback, which %s is "
                        "not; listen on 127.0.0.1 or [::1], or take another mode",
                        text);
    }
    enum err err = ERR_OK;
    if (config->listens) err = name_address(config, &config->listen, diag);
    if (err == ERR_OK && config->echoes) err = name_address(config, &config->echo, diag);
    return err;
}
