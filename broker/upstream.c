#include "broker/upstream.h"

#include <stdbool.h>
#include <string.h>
#include <sys/un.h>

#define WANTED "want unix:/PATH, or http://ADDR:PORT with a loopback address, such as http://127.0.0.1:8080"

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
        if (text[i] <= ' ' || text[i] == 0x7f || strchr("%?#\"\\;", text[i]) != NULL)
            return diag_set(diag, ERR_INPUT, "'%.*s': a prefix has no blanks and none of %%?#\"\\;", (int)len, text);
    }
    memcpy(out->prefix, text, len);
    out->prefix[len] = '\0';
    return ERR_OK;
}

static enum err parse_unix(struct upstream_place *out, const char *path, struct diag *diag)
{
    struct sockaddr_un *unix_address = (struct sockaddr_un *)(void *)&out->address.socket;
    if (path[0] != '/') return diag_set(diag, ERR_INPUT, "'%s' is no absolute path; " WANTED, path);
    if (strlen(path) >= sizeof unix_address->sun_path)
        return diag_set(diag, ERR_INPUT, "'%s' is longer than %zu bytes, which no socket's path is", path,
                        sizeof unix_address->sun_path - 1);
    unix_address->sun_family = AF_UNIX;
    memcpy(unix_address->sun_path, path, strlen(path) + 1);
    out->address.len = sizeof *unix_address;
    return ERR_OK;
}

/* What goes there is not encrypted, and says who the client is: it stays on this machine. */
static enum err parse_tcp(struct upstream_place *out, const char *text, struct diag *diag)
{
    char authority[LIMIT_PROXY_UPSTREAM + 1];
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '/') len--;
    memcpy(authority, text, len);
    authority[len] = '\0';
    if (strchr(authority, '/') != NULL)
        return diag_set(diag, ERR_INPUT, "'%s' has a path; paths are passed on as they are; " WANTED, text);
    enum err err = address_parse(&out->address, authority, diag);
    if (err != ERR_OK) return err;
    if (address_port(&out->address) == 0) return diag_set(diag, ERR_INPUT, "'%s' has port 0; " WANTED, text);
    if (!address_is_loopback(&out->address))
        return diag_set(diag, ERR_INPUT, "'%s' is another machine's address, and nothing would be encrypted; " WANTED,
                        authority);
    return ERR_OK;
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
    if (begins(upstream, "unix:")) return parse_unix(out, upstream + strlen("unix:"), diag);
    if (begins(upstream, "http://")) return parse_tcp(out, upstream + strlen("http://"), diag);
    return diag_set(diag, ERR_INPUT, "'%s' is no upstream; " WANTED, upstream);
}
