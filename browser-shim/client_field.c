#include "browser-shim/client_field.h"

#include <string.h>
#include <strings.h>

/* A token (RFC 9110, 5.6.2). */
static size_t name_len(const char *line)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return strspn(line, allowed);
}

static bool is_name(const char *line, const char *name)
{
    const size_t len = name_len(line);
    return len == strlen(name) && strncasecmp(line, name, len) == 0;
}

/* No control characters but the tab (RFC 9110, 5.5): a line break would begin a field that nobody checked. */
static bool is_value(const char *value)
{
    for (; *value != '\0'; value++) {
        const unsigned char byte = (unsigned char)*value;
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) return false;
    }
    return true;
}

enum err client_fields_add(struct client_fields *fields, const char *line, struct diag *diag)
{
    /* How long the request is, where it goes and how the connection ends. */
    static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive",
                                       "TE",   "Trailer",        "Upgrade",           "Expect"};
    const size_t name = name_len(line), len = strlen(line);
    if (name == 0 || line[name] != ':' || !is_value(line + name + 1)) {
        return diag_set(diag, ERR_INPUT, "-H '%s' is not a header field; want 'Name: value' in one line", line);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (!is_name(line, ours[i])) continue;
        return diag_set(diag, ERR_INPUT, "-H '%s': this field is written by browser-shim itself; leave it out", line);
    }
    if (fields->num == LIMIT_CLIENT_FIELDS || len > LIMIT_CLIENT_FIELDS_LEN - fields->len) {
        return diag_set(diag, ERR_INPUT, "-H: more than %u fields, or than %u bytes of them; leave some out",
                        LIMIT_CLIENT_FIELDS, LIMIT_CLIENT_FIELDS_LEN);
    }
    fields->lines[fields->num++] = line;
    fields->len += len;
    return ERR_OK;
}

bool client_fields_have(const struct client_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->num; i++) {
        if (is_name(fields->lines[i], name)) return true;
    }
    return false;
}
