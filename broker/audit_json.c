#include "broker/audit_json.h"

#include <string.h>

#define REPLACEMENT 0xfffdu

/* The bytes that follow, and what the code point must not be below: overlong forms are no UTF-8 (RFC 3629, 3). */
static size_t followers(unsigned char first, uint32_t *out_bits, uint32_t *out_min)
{
    static const uint32_t mins[] = {0, 0x80, 0x800, 0x10000};
    size_t num = first < 0x80 ? 0 : (first & 0xe0) == 0xc0 ? 1 : (first & 0xf0) == 0xe0 ? 2 : 3;
    *out_bits = num == 0 ? first : first & (0x3fu >> num);
    *out_min = mins[num];
    return num;
}

size_t audit_json_point(uint32_t *out, const char *text)
{
    uint32_t point, min;
    unsigned char first = (unsigned char)text[0];
    size_t num = followers(first, &point, &min);
    bool good = first < 0x80 || (first >= 0xc2 && first <= 0xf4);
    for (size_t i = 1; good && i <= num; i++) {
        unsigned char byte = (unsigned char)text[i];
        good = (byte & 0xc0) == 0x80;
        point = point << 6 | (byte & 0x3fu);
    }
    good = good && point >= min && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    *out = good ? point : REPLACEMENT;
    return good ? num + 1 : 1;
}

size_t audit_json_utf8(char out[4], uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t num = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = num; i-- > 1; point >>= 6) out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(heads[num] | point);
    return num;
}

static char *write_unit(char *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) *out++ = digits[unit >> shift & 15];
    return out;
}

size_t audit_json_write(char *out, const char *text)
{
    char *at = out;
    *at++ = '"';
    while (*text != '\0') {
        uint32_t point;
        text += audit_json_point(&point, text);
        if (point == '"' || point == '\\') *at++ = '\\';
        if (point >= 0x20 && point < 0x7f) {
            *at++ = (char)point;
        } else if (point < 0x10000) {
            at = write_unit(at, point);
        } else { /* two UTF-16 units (RFC 8259, 7) */
            at = write_unit(at, 0xd800 + ((point - 0x10000) >> 10));
            at = write_unit(at, 0xdc00 + ((point - 0x10000) & 0x3ff));
        }
    }
    *at++ = '"';
    return (size_t)(at - out);
}

/* The four digits of a \uXXXX, whose backslash is at *at. */
static bool read_unit(uint32_t *out, const char **at, const char *end)
{
    *out = 0;
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return false;
    for (int i = 2; i < 6; i++) {
        char c = (*at)[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter) return false;
        *out = *out << 4 | (uint32_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *at += 6;
    return true;
}

static bool read_escape(uint32_t *out, const char **at, const char *end)
{
    uint32_t low;
    if (end - *at >= 2 && ((*at)[1] == '"' || (*at)[1] == '\\')) {
        *out = (unsigned char)(*at)[1];
        *at += 2;
        return true;
    }
    if (!read_unit(out, at, end) || *out == 0 || (*out >= 0xdc00 && *out <= 0xdfff)) return false;
    if (*out < 0xd800 || *out > 0xdbff) return true;
    if (!read_unit(&low, at, end) || low < 0xdc00 || low > 0xdfff) return false;
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

bool audit_json_read(char *out, size_t out_len, const char **at, const char *end)
{
    size_t len = 0;
    if (*at == end || *(*at)++ != '"') return false;
    for (;;) {
        uint32_t point;
        if (*at == end) return false;
        if (**at == '"') break;
        if (**at == '\\') {
            if (!read_escape(&point, at, end)) return false;
        } else {
            point = (unsigned char)*(*at)++;
            if (point < 0x20 || point >= 0x7f) return false;
        }
        char bytes[4];
        size_t num = audit_json_utf8(bytes, point);
        if (len + num >= out_len) return false;
        memcpy(out + len, bytes, num);
        len += num;
    }
    (*at)++;
    out[len] = '\0';
    return true;
}
