#include "browser-shim/client_address.h"

#include <arpa/inet.h>
#include <http_parser.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Copies len bytes and a NUL; false if there is no room. */
static bool copy_text(char *out, size_t out_len, const char *text, size_t len)
{
    if (len >= out_len) return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static bool is_ip_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool is_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    return host[0] != '\0' && host[strspn(host, allowed)] == '\0';
}

/* Fills out from a host, with or without brackets, and a port. */
static enum err set_address(struct client_address *out, const char *host, size_t host_len, unsigned long port,
                            const char *text, struct diag *diag)
{
    if (!copy_text(out->host, sizeof out->host, host, host_len)) {
        return diag_set(diag, ERR_INPUT, "'%s': the host is longer than %u bytes", text, LIMIT_NAME);
    }
    out->is_ip = is_ip_address(out->host);
    if (!out->is_ip && !is_name(out->host)) {
        return diag_set(diag, ERR_INPUT, "'%s': '%s' is neither a host name nor an IP address", text, out->host);
    }
    if (port == 0 || port > UINT16_MAX) {
        return diag_set(diag, ERR_INPUT, "'%s': the port is not a number from 1 to 65535", text);
    }
    snprintf(out->port, sizeof out->port, "%u", (unsigned)(uint16_t)port);
    return ERR_OK;
}

static bool has_field(const struct http_parser_url *url, enum http_parser_url_fields field)
{
    return (url->field_set & (1u << field)) != 0;
}

/* Everything from the path to before the fragment. */
static bool set_target(struct client_url *out, const struct http_parser_url *url, const char *text)
{
    size_t start = 0, end = strcspn(text, "#"), used = 0;
    if (has_field(url, UF_PATH)) {
        start = url->field_data[UF_PATH].off;
    } else {
        out->target[used++] = '/';
        start = has_field(url, UF_QUERY) ? url->field_data[UF_QUERY].off - 1u : end;
    }
    return copy_text(out->target + used, sizeof out->target - used, text + start, end - start);
}

enum err client_url_parse(struct client_url *out, const char *text, struct diag *diag)
{
    memset(out, 0, sizeof *out);
    size_t len = strlen(text);
    if (len > LIMIT_URL) return diag_set(diag, ERR_INPUT, "the URL is longer than %u bytes", LIMIT_URL);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return diag_set(diag, ERR_INPUT, "'%s': the URL has a space or another byte that has to be written as %%HH",
                            text);
        }
    }
    struct http_parser_url url;
    http_parser_url_init(&url);
    /* A fragment is never sent (RFC 9110, 7.1), so it is not read either. */
    if (http_parser_parse_url(text, strcspn(text, "#"), 0, &url) != 0 || !has_field(&url, UF_SCHEMA) ||
        !has_field(&url, UF_HOST)) {
        return diag_set(diag, ERR_INPUT, "'%s' is not a URL; want https://HOST[:PORT]/PATH", text);
    }
    if (url.field_data[UF_SCHEMA].len != 5 || strncasecmp(text, "https", 5) != 0) {
        return diag_set(diag, ERR_INPUT, "'%s': only https is spoken; want https://HOST[:PORT]/PATH", text);
    }
    if (has_field(&url, UF_USERINFO)) {
        return diag_set(diag, ERR_INPUT, "'%s': no user or password belongs into this URL; the handle says who you are",
                        text);
    }
    unsigned long port = has_field(&url, UF_PORT) ? url.port : 443;
    const char *host = text + url.field_data[UF_HOST].off;
    enum err err = set_address(&out->address, host, url.field_data[UF_HOST].len, port, text, diag);
    if (err != ERR_OK) return err;
    bool is_ipv6 = strchr(out->address.host, ':') != NULL;
    snprintf(out->authority, sizeof out->authority, "%s%s%s%s%s", is_ipv6 ? "[" : "", out->address.host,
             is_ipv6 ? "]" : "", port == 443 ? "" : ":", port == 443 ? "" : out->address.port);
    if (!set_target(out, &url, text)) return diag_set(diag, ERR_INPUT, "'%s': the path is too long", text);
    return ERR_OK;
}

enum err client_address_parse(struct client_address *out, const char *text, struct diag *diag)
{
    memset(out, 0, sizeof *out);
    const char *colon = strrchr(text, ':');
    if (colon == NULL) return diag_set(diag, ERR_INPUT, "'%s' has no port; want HOST:PORT", text);
    const char *host = text;
    size_t host_len = (size_t)(colon - text);
    bool bracketed = host_len >= 2 && host[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len) != NULL) {
        return diag_set(diag, ERR_INPUT, "'%s': an IPv6 address stands in brackets; want [ADDRESS]:PORT", text);
    }
    /* Digits only, so few that they cannot overflow. */
    size_t digits = strspn(colon + 1, "0123456789");
    unsigned long port = 0;
    if (digits <= 5 && colon[1 + digits] == '\0') {
        for (size_t i = 0; i < digits; i++) port = port * 10 + (unsigned long)(colon[1 + i] - '0');
    }
    return set_address(out, host, host_len, port, text, diag);
}
