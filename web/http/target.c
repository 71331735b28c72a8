#include "web/http/target.h"

#include <ctype.h>
#include <http_parser.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct fault ok;

static struct fault bad(const char *reason)
{
    return (struct fault){HTTP_STATUS_BAD_REQUEST, reason};
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes one character at text[*at] and moves on. */
static struct fault decode_one(char *out, const char *text, size_t len, size_t *at)
{
    char c = text[*at];
    *at += 1;
    if (c == '%') {
        if (len - *at < 2) return bad("incomplete percent-encoding");
        int high = hex_value(text[*at]);
        int low = hex_value(text[*at + 1]);
        if (high < 0 || low < 0) return bad("bad percent-encoding");
        c = (char)(unsigned char)(high * 16 + low);
        *at += 2;
        if (c == '/') return bad("encoded slash");
    }
    unsigned char byte = (unsigned char)c;
    if (byte < 0x20 || byte == 0x7f) return bad("control character in the target");
    *out = c;
    return ok;
}

static bool has_dot_segment(const char *path)
{
    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
        size_t len = strcspn(at + 1, "/");
        if (len == 1 && at[1] == '.') return true;
        if (len == 2 && at[1] == '.' && at[2] == '.') return true;
    }
    return false;
}

static struct fault decode_path(struct target *out, const char *text, size_t len)
{
    size_t end = 0;
    size_t at = 0;
    while (at < len && text[at] != '?') {
        if (text[at] == '#') return bad("fragment in the target");
        struct fault fault = decode_one(&out->path[end], text, len, &at);
        if (fault.status != 0) return fault;
        end++;
    }
    out->path[end] = '\0';
    if (memchr(text + at, '#', len - at) != NULL) return bad("fragment in the target");
    if (has_dot_segment(out->path)) return bad("dot segment in the target");
    return ok;
}

struct fault target_check_authority(const char *text, size_t len)
{
    size_t at = 0;
    if (len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', len);
        if (close == NULL) return bad("unfinished IP literal in the host");
        size_t literal = (size_t)(close - text) + 1;
        for (size_t i = 1; i + 1 < literal; i++) {
            if (hex_value(text[i]) < 0 && text[i] != ':' && text[i] != '.') return bad("bad IP literal in the host");
        }
        if (literal < 4) return bad("bad IP literal in the host");
        at = literal;
    } else {
        /* reg-name, less the characters that no DNS name has. */
        while (at < len && (isalnum((unsigned char)text[at]) || strchr("-._~", text[at]) != NULL) && text[at] != '\0')
            at++;
        if (at == 0) return bad("no host");
        if (at > LIMIT_NAME) return bad("host too long");
    }
    if (at == len) return ok;
    if (text[at] != ':') return bad("bad character in the host");
    if (len - at > sizeof("65535")) return bad("bad port");
    for (size_t i = at + 1; i < len; i++) {
        if (!isdigit((unsigned char)text[i])) return bad("bad port");
    }
    return ok;
}

static struct fault take_path(struct target *out, const char *text, size_t len)
{
    memcpy(out->raw, text, len);
    return decode_path(out, text, len);
}

static struct fault parse_absolute(struct target *out, const char *text, size_t len, size_t authority_at)
{
    out->form = TARGET_ABSOLUTE;
    size_t end = authority_at;
    while (end < len && strchr("/?#", text[end]) == NULL) end++;
    size_t authority_len = end - authority_at;
    if (authority_len >= sizeof(out->authority)) return bad("host too long");
    struct fault fault = target_check_authority(text + authority_at, authority_len);
    if (fault.status != 0) return fault;
    memcpy(out->authority, text + authority_at, authority_len);
    out->authority[authority_len] = '\0';
    if (end < len && text[end] == '/') return take_path(out, text + end, len - end);
    /* No path: the same as "/" (RFC 9110, 4.2.3). */
    fault = decode_path(out, text + end, len - end);
    memcpy(out->path, "/", 2);
    out->raw[0] = '/';
    memcpy(out->raw + 1, text + end, len - end);
    return fault;
}

struct fault target_parse(struct target *out, const char *text, size_t len)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    *out = (struct target){.form = TARGET_ORIGIN};
    if (len == 0) return bad("no target");
    if (len > LIMIT_HTTP_TARGET) return (struct fault){HTTP_STATUS_URI_TOO_LONG, "target too long"};
    out->path = calloc(2, len + 2); /* decoding never grows it; 2 for "/"; the second half is raw's */
    if (out->path == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    out->raw = out->path + len + 2;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte <= 0x20 || byte >= 0x7f) return bad("bad character in the target");
    }
    if (text[0] == '/') return take_path(out, text, len);
    if (len == 1 && text[0] == '*') {
        out->form = TARGET_ASTERISK;
        return ok;
    }
    if (len >= sizeof(https) - 1 && strncasecmp(text, https, sizeof(https) - 1) == 0)
        return parse_absolute(out, text, len, sizeof(https) - 1);
    if (len >= sizeof(http) - 1 && strncasecmp(text, http, sizeof(http) - 1) == 0)
        return parse_absolute(out, text, len, sizeof(http) - 1);
    out->form = TARGET_AUTHORITY;
    return target_check_authority(text, len);
}

void target_cleanup(struct target *target)
{
    free(target->path);
    target->path = target->raw = NULL;
}

void target_encode(char *out, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *path != '\0'; path++) {
        unsigned char byte = (unsigned char)*path;
        if (byte < 0x80 && (isalnum(byte) || strchr("-._~/", *path) != NULL)) {
            *out++ = *path;
        } else {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        }
    }
    *out = '\0';
}
