#include "broker/stream_place.h"

#include <string.h>

#include "broker/upstream.h"

#define WANTED "want unix:/PATH, or ADDR:PORT with a loopback address, such as 127.0.0.1:5432"

enum err stream_place_name(struct stream_place *out, const char *text, size_t len, struct diag *diag)
{
    if (len >= sizeof out->name) return diag_set(diag, ERR_INPUT, "'%.*s' is no address", (int)len, text);
    memcpy(out->name, text, len);
    out->name[len] = '\0';
    return address_parse(&out->listen, out->name, diag);
}

/* What goes there is not encrypted any more: it stays on this machine. */
static enum err take_tcp(struct stream_place *out, const char *text, struct diag *diag)
{
    enum err err = address_parse(&out->address, text, diag);
    if (err != ERR_OK) return err;
    if (address_port(&out->address) == 0) return diag_set(diag, ERR_INPUT, "'%s' has port 0; " WANTED, text);
    if (!address_is_loopback(&out->address))
        return diag_set(diag, ERR_INPUT, "'%s' is another machine's address, and nothing would be encrypted; " WANTED,
                        text);
    return ERR_OK;
}

enum err stream_place_upstream(struct stream_place *out, const char *text, struct diag *diag)
{
    static const char unix_prefix[] = "unix:";
    const size_t prefix_len = sizeof unix_prefix - 1;
    if (strlen(text) > LIMIT_STREAM_UPSTREAM)
        return diag_set(diag, ERR_INPUT, "the upstream is longer than %u bytes; " WANTED, LIMIT_STREAM_UPSTREAM);
    out->address = (struct address){0};
    enum err err = strncmp(text, unix_prefix, prefix_len) == 0
                       ? upstream_parse_unix(&out->address, text + prefix_len, diag)
                       : take_tcp(out, text, diag);
    if (err == ERR_OK) memcpy(out->upstream, text, strlen(text) + 1);
    return err;
}
