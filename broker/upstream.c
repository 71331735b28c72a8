#include "broker/upstream.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "broker/value.h"
#include "proto/field.h"

#define WANTED \
    "want unix:/PATH, http://ADDR:PORT with a loopback address, such as http://127.0.0.1:8080, or https://HOST:PORT"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* It is compared with decoded paths, so nothing in it is encoded. */
static enum err parse_prefix(struct upstream_place *out, const char *text, size_t len, struct diag *diag)
{
    if (len == 0 || text[0] != '/')
        return diag_set(diag, ERR_INPUT, "'%.*s' is no prefix of paths; it begins with '/'", (int)len, text);
    if (len > LIMIT_PROXY_PREFIX)
        return diag_set(diag, ERR_INPUT, "the prefix is longer than %u bytes", LIMIT_PROXY_PREFIX);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7f || strchr("%?#\"\\;", text[i]) != NULL)
            return diag_set(diag, ERR_INPUT, "'%.*s': a prefix has no blanks and none of %%?#\"\\;, and is ASCII",
                            (int)len, text);
    }
    memcpy(out->prefix, text, len);
    out->prefix[len] = '\0';
    return ERR_OK;
}

enum err upstream_parse_unix(struct address *out, const char *path, struct diag *diag)
{
    struct sockaddr_un *unix_address = (struct sockaddr_un *)(void *)&out->socket;
    if (path[0] != '/') return diag_set(diag, ERR_INPUT, "'%s' is no absolute path; want unix:/PATH", path);
    if (strlen(path) >= sizeof unix_address->sun_path)
        return diag_set(diag, ERR_INPUT, "'%s' is longer than %zu bytes, which no socket's path is", path,
                        sizeof unix_address->sun_path - 1);
    /* A worker is told it, in a message, which takes text only. */
    if (!field_text(path, 1, sizeof unix_address->sun_path))
        return diag_set(diag, ERR_INPUT, "'%s' is not UTF-8, or has control characters; give the socket another name",
                        path);
    unix_address->sun_family = AF_UNIX;
    memcpy(unix_address->sun_path, path, strlen(path) + 1);
    out->len = sizeof *unix_address;
    return ERR_OK;
}

/* The part between the scheme and a slash that stands alone. */
static enum err take_authority(char out[LIMIT_PROXY_UPSTREAM + 1], const char *text, struct diag *diag)
{
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '/') len--;
    memcpy(out, text, len);
    out[len] = '\0';
    if (strchr(out, '/') == NULL) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' has a path; paths are passed on as they are; " WANTED, text);
}

/* What goes there is not encrypted, and says who the client is: it stays on this machine. */
static enum err parse_tcp(struct upstream_place *out, const char *text, struct diag *diag)
{
    char authority[LIMIT_PROXY_UPSTREAM + 1];
    enum err err = take_authority(authority, text, diag);
    if (err == ERR_OK) err = address_parse(&out->address, authority, diag);
    if (err != ERR_OK) return err;
    if (address_port(&out->address) == 0) return diag_set(diag, ERR_INPUT, "'%s' has port 0; " WANTED, text);
    if (!address_is_loopback(&out->address))
        return diag_set(diag, ERR_INPUT,
                        "'%s' is another machine's address, and nothing would be encrypted; say https://, or " WANTED,
                        authority);
    return ERR_OK;
}

/* A name, or an address as people write it: IPv6 in brackets. */
static enum err take_host(struct upstream_place *out, const char *host, size_t len, struct diag *diag)
{
    uint8_t address[sizeof(struct in6_addr)];
    const bool bracketed = len >= 2 && host[0] == '[' && host[len - 1] == ']';
    memcpy(out->host, bracketed ? host + 1 : host, bracketed ? len - 2 : len);
    out->host[bracketed ? len - 2 : len] = '\0';
    if (bracketed ? inet_pton(AF_INET6, out->host, address) == 1
                  : inet_pton(AF_INET, out->host, address) == 1 || value_dns_name(out->host))
        return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%.*s' is neither a host name nor an address; " WANTED, (int)len, host);
}

static enum err parse_tls(struct upstream_place *out, const char *text, struct diag *diag)
{
    uint64_t port;
    char authority[LIMIT_PROXY_UPSTREAM + 1];
    out->tls = true;
    enum err err = take_authority(authority, text, diag);
    if (err != ERR_OK) return err;
    const char *colon = strrchr(authority, ':');
    if (colon == NULL) return diag_set(diag, ERR_INPUT, "'%s' has no port; " WANTED, authority);
    if (value_number(&port, colon + 1, 1, UINT16_MAX, NULL) != ERR_OK)
        return diag_set(diag, ERR_INPUT, "'%s' is no port; " WANTED, colon + 1);
    out->port = (uint16_t)port;
    return take_host(out, authority, (size_t)(colon - authority), diag);
}

enum err upstream_parse(struct upstream_place *out, const char *text, struct diag *diag)
{
    const char *equals = strchr(text, '=');
    *out = (struct upstream_place){0};
    if (equals == NULL) return diag_set(diag, ERR_INPUT, "'%s' has no '='; want PREFIX=UPSTREAM", text);
    enum err err = parse_prefix(out, text, (size_t)(equals - text), diag);
    if (err != ERR_OK) return err;
    const char *upstream = equals + 1;
    if (strlen(upstream) > LIMIT_PROXY_UPSTREAM)
        return diag_set(diag, ERR_INPUT, "the upstream is longer than %u bytes; " WANTED, LIMIT_PROXY_UPSTREAM);
    memcpy(out->text, upstream, strlen(upstream) + 1);
    if (begins(upstream, "unix:")) return upstream_parse_unix(&out->address, upstream + strlen("unix:"), diag);
    if (begins(upstream, "http://")) return parse_tcp(out, upstream + strlen("http://"), diag);
    if (begins(upstream, "https://")) return parse_tls(out, upstream + strlen("https://"), diag);
    return diag_set(diag, ERR_INPUT, "'%s' is no upstream; " WANTED, upstream);
}

uint16_t upstream_port(const struct upstream_place *place)
{
    if (place->tls) return place->port;
    return place->address.socket.ss_family != AF_UNIX ? address_port(&place->address) : 0;
}
