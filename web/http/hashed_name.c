#include "web/http/hashed_name.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define ASSETS "assets/"
#define MIN_HEX 8u
#define MAX_HEX 64u
#define BASE64_LEN 8u

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && strncasecmp(text + len - end_len, end, end_len) == 0;
}

static bool is_hex_hash(const char *text, size_t len)
{
    bool letter = false;
    bool numeral = false;
    if (len < MIN_HEX || len > MAX_HEX) return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            numeral = true;
        else if (text[i] >= 'a' && text[i] <= 'f')
            letter = true;
        else
            return false;
    }
    return letter && numeral;
}

static bool is_base64_hash(const char *text)
{
    bool upper = false;
    bool lower = false;
    bool numeral = false;
    bool numeral_inside = false;
    for (size_t i = 0; i < BASE64_LEN; i++) {
        unsigned char c = (unsigned char)text[i];
        if (isdigit(c)) {
            numeral = true;
        } else if (isalpha(c)) {
            upper |= isupper(c) != 0;
            lower |= islower(c) != 0;
            numeral_inside |= numeral;
        } else if (c != '-' && c != '_') {
            return false;
        }
    }
    return upper && lower && numeral_inside;
}

/* Where the last "." of the first len bytes is; len if there is none. */
static size_t last_dot(const char *text, size_t len)
{
    for (size_t at = len; at > 0; at--)
        if (text[at - 1] == '.') return at - 1;
    return len;
}

bool hashed_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t len = strlen(base);
    if (ends_with(base, len, ".map")) len -= strlen(".map");
    if (ends_with(base, len, ".html") || ends_with(base, len, ".htm")) return false;
    size_t stem = last_dot(base, len);
    if (stem == len || stem == 0) return false;
    size_t hash = last_dot(base, stem);
    if (hash < stem && hash > 0 && is_hex_hash(base + hash + 1, stem - hash - 1)) return true;
    size_t dir_len = (size_t)(base - path);
    bool in_assets =
        ends_with(path, dir_len, "/" ASSETS) || (dir_len == strlen(ASSETS) && ends_with(path, dir_len, ASSETS));
    return in_assets && stem > BASE64_LEN + 1 && base[stem - BASE64_LEN - 1] == '-' &&
           is_base64_hash(base + stem - BASE64_LEN);
}
