/* Options about what is served: [web], [content], [headers], [proxy], [log]. */
#include "broker/config_table.h"

#include <string.h>

#include "broker/value.h"

static enum err set_workers(struct config *config, const char *value, struct diag *diag)
{
    uint64_t number;
    enum err err = value_number(&number, value, 1, LIMIT_WORKERS, diag);
    if (err == ERR_OK) config->workers = (uint32_t)number;
    return err;
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

static bool has_header(const struct config *config, const char *name, size_t len)
{
    (void)len; /* the whole text */
    return find_header(config, name) < config->num_headers;
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

static size_t find_proxy(const struct config *config, const char *prefix, size_t len)
{
    size_t i = 0;
    while (i < config->num_proxies &&
           (strlen(config->proxies[i].prefix) != len || strncmp(config->proxies[i].prefix, prefix, len) != 0))
        i++;
    return i;
}

static bool has_proxy(const struct config *config, const char *name, size_t len)
{
    return find_proxy(config, name, len) < config->num_proxies;
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

static size_t find_proxy_ca(const struct config *config, const char *prefix, size_t len)
{
    size_t i = 0;
    while (i < config->num_proxy_cas &&
           (strlen(config->proxy_cas[i].prefix) != len || strncmp(config->proxy_cas[i].prefix, prefix, len) != 0))
        i++;
    return i;
}

static bool has_proxy_ca(const struct config *config, const char *name, size_t len)
{
    return find_proxy_ca(config, name, len) < config->num_proxy_cas;
}

const char *config_proxy_ca(const struct config *config, const char *prefix)
{
    const size_t at = find_proxy_ca(config, prefix, strlen(prefix));
    return at < config->num_proxy_cas ? config->proxy_cas[at].path : NULL;
}

/* value is PREFIX=FILE. The upstream may be set later: config_check sees whether there is one. */
static enum err set_proxy_ca(struct config *config, const char *value, struct diag *diag)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL) return diag_set(diag, ERR_INPUT, "'%s' has no '='; want PREFIX=FILE", value);
    const size_t len = (size_t)(equals - value), at = find_proxy_ca(config, value, len);
    if (len > LIMIT_PROXY_PREFIX)
        return diag_set(diag, ERR_INPUT, "the prefix is longer than %u bytes", LIMIT_PROXY_PREFIX);
    if (at == LIMIT_PROXIES) return diag_set(diag, ERR_INPUT, "more than %u prefixes", LIMIT_PROXIES);
    struct config_proxy_ca *ca = &config->proxy_cas[at];
    enum err err = value_text(ca->path, sizeof ca->path, equals + 1, diag);
    if (err != ERR_OK) return err;
    snprintf(ca->prefix, sizeof ca->prefix, "%.*s", (int)len, value);
    if (at == config->num_proxy_cas) config->num_proxy_cas++;
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

static enum err set_log_format(struct config *config, const char *value, struct diag *diag)
{
    config->log_json = strcmp(value, "json") == 0;
    if (config->log_json || strcmp(value, "text") == 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' is no format of a log; want text or json", value);
}

static const struct config_option rows[] = {
    {.section = "web",
     .key = "root",
     .flag = "--root",
     .path = CONFIG_PATH(root),
     .argument = "DIR",
     .help = "serve the files in DIR instead of the built-in page"},
    {.section = "web",
     .key = "client_ca",
     .flag = "--client-ca",
     .path = CONFIG_PATH(client_ca),
     .argument = "FILE",
     .help = "PEM certificates of further CAs whose clients are let in"},
    {.section = "web",
     .key = "uploads",
     .flag = "--uploads",
     .path = CONFIG_PATH(uploads),
     .argument = "DIR",
     .help = "take PUT /upload/NAME into DIR"},
    {.section = "web",
     .key = "workers",
     .flag = "--workers",
     .set = set_workers,
     .argument = "N",
     .help = "web workers (one for each CPU)"},
    {.section = "web", .key = "max_upload", .set = set_max_upload},
    {.section = "web", .key = "idle_timeout", .set = set_idle_timeout},
    {.section = "content",
     .key = "spa",
     .flag = "--spa",
     .fixed = "yes",
     .set = set_spa,
     .help = "with --root: pages that are not there are index.html's, as a single-page app wants"},
    {.section = "content", .key = "immutable", .set = set_immutable},
    {.section = "content", .key = "upload_quota", .set = set_upload_quota},
    {.section = "headers",
     .flag = "--header",
     .set = set_header,
     .has = has_header,
     .argument = "NAME:VALUE",
     .help = "a header field for every answer; without a VALUE: take the default one away"},
    {.section = "proxy \"",
     .key = "upstream",
     .flag = "--proxy",
     .set = set_proxy,
     .has = has_proxy,
     .argument = "PREFIX=UPSTREAM",
     .help = "pass requests for paths below PREFIX to an application at unix:/PATH, http://127.0.0.1:PORT or "
             "https://HOST:PORT"},
    {.section = "proxy \"",
     .key = "ca",
     .flag = "--proxy-ca",
     .set = set_proxy_ca,
     .has = has_proxy_ca,
     .argument = "PREFIX=FILE",
     .help = "the one CA (PEM) that vouches for the https:// application of that prefix"},
    {.section = "log",
     .key = "access",
     .flag = "--access-log",
     .set = set_access_log,
     .argument = "FORMAT",
     .help = "text, json, combined or none: what each request leaves on standard error (text)"},
    {.section = "log",
     .key = "format",
     .at_start = true,
     .flag = "--log-format",
     .set = set_log_format,
     .argument = "FORMAT",
     .help = "text or json: what Keyward itself says on standard error (text)"},
    {.section = "log",
     .key = "access_file",
     .at_start = true,
     .flag = "--access-file",
     .path = CONFIG_PATH(access_file),
     .argument = "FILE",
     .help = "write the access log to FILE (--access-log json or combined); broker reopen after it was rotated"},
};

const struct config_table config_http_options = {rows, sizeof rows / sizeof *rows};
