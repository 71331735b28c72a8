#include "broker/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

/* Reads leading digits; *end is the rest. */
static bool read_digits(uint64_t *out, const char **end, const char *text)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) return false;
    }
    *out = value;
    *end = at;
    return at != text;
}

struct unit {
    char name;
    uint64_t factor;
};

/* A number with at most one of the units behind it. */
static bool read_with_unit(uint64_t *out, const char *text, const struct unit *units, size_t num_units)
{
    const char *rest;
    if (!read_digits(out, &rest, text)) return false;
    if (*rest == '\0') return true;
    for (size_t i = 0; i < num_units; i++) {
        if (units[i].name == rest[0] && rest[1] == '\0') return !__builtin_mul_overflow(*out, units[i].factor, out);
    }
    return false;
}

enum err value_number(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct diag *diag)
{
    if (read_with_unit(out, text, NULL, 0) && *out >= min && *out <= max) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' is not a number from %" PRIu64 " to %" PRIu64, text, min, max);
}

enum err value_size(uint64_t *out, const char *text, uint64_t min, uint64_t max, struct diag *diag)
{
    static const struct unit units[] = {{'K', 1u << 10}, {'M', 1u << 20}, {'G', 1u << 30}};
    if (read_with_unit(out, text, units, 3) && *out >= min && *out <= max) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' is not a size from %" PRIu64 " to %" PRIu64 " bytes; write 512K, 64M or 2G",
                    text, min, max);
}

enum err value_duration(uint64_t *out, const char *text, uint64_t min_s, uint64_t max_s, struct diag *diag)
{
    static const struct unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    if (read_with_unit(out, text, units, 4) && *out >= min_s && *out <= max_s) return ERR_OK;
    return diag_set(diag, ERR_INPUT,
                    "'%s' is not a time from %" PRIu64 " to %" PRIu64 " seconds; write 90s, 15m, 12h or 30d", text,
                    min_s, max_s);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Whether there are no colons in it, or one after each two digits: "1:2" might be 12 or 0102. */
static bool is_in_pairs(const char *text)
{
    const size_t len = strlen(text);
    if (strchr(text, ':') == NULL) return true;
    for (size_t i = 0; i < len; i++) {
        if ((text[i] == ':') != (i % 3 == 2)) return false;
    }
    return len % 3 == 2;
}

/* The digits' values without colons and leading zeros. False: it is no such number, or too long a one. */
static bool read_hex(uint8_t digits[2 * LIMIT_SERIAL], size_t *out_num, const char *text)
{
    *out_num = 0;
    for (const char *at = text; *at != '\0'; at++) {
        int digit = hex_digit(*at);
        if (digit < 0 && *at != ':') return false;
        if (digit < 0 || (digit == 0 && *out_num == 0)) continue;
        if (*out_num == 2 * LIMIT_SERIAL) return false;
        digits[(*out_num)++] = (uint8_t)digit;
    }
    return text[0] != '\0' && is_in_pairs(text);
}

enum err value_serial(uint8_t out[LIMIT_SERIAL], size_t *out_len, const char *text, struct diag *diag)
{
    uint8_t digits[2 * LIMIT_SERIAL];
    size_t num;
    if (!read_hex(digits, &num, text))
        return diag_set(
            diag, ERR_INPUT,
            "'%s' is not a serial number; write up to %u hexadecimal digits, with a colon after each two or without",
            text, 2 * LIMIT_SERIAL);
    *out_len = num > 0 ? (num + 1) / 2 : 1;
    memset(out, 0, *out_len);
    for (size_t i = 0; i < num; i++) {
        size_t place = num - 1 - i; /* from the end */
        out[*out_len - 1 - place / 2] |= (uint8_t)(digits[i] << (place % 2 * 4));
    }
    return ERR_OK;
}

enum err value_switch(bool *out, const char *text, struct diag *diag)
{
    *out = strcmp(text, "yes") == 0;
    if (*out || strcmp(text, "no") == 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "'%s' is neither yes nor no", text);
}

enum err value_text(char *out, size_t out_len, const char *text, struct diag *diag)
{
    size_t len = strlen(text);
    if (len == 0) return diag_set(diag, ERR_INPUT, "the value is empty");
    if (len >= out_len) return diag_set(diag, ERR_INPUT, "the value is longer than %zu bytes", out_len - 1);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return diag_set(diag, ERR_INPUT, "the value has a control character in it");
        }
    }
    memcpy(out, text, len + 1);
    return ERR_OK;
}

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

bool value_dns_name(const char *text)
{
    size_t label = 0;
    if (strlen(text) > 253) return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '.') {
            if (label == 0 || at[-1] == '-') return false;
            label = 0;
        } else {
            if (!is_label_char(*at) || (label == 0 && *at == '-') || ++label > 63) return false;
        }
    }
    return label > 0 && text[strlen(text) - 1] != '-';
}
