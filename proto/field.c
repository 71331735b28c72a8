#include "proto/field.h"

#include <string.h>

#include "base/limits.h"

/* Returns how many bytes the character at text has, 0 if it is not one that we take. Reads no further than the first
 * byte that does not belong to it, so a NUL ends it. */
static size_t character_len(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7f) return 0; /* C0, DEL; the NUL as well */
    if (text[0] < 0x80) return 1;
    /* RFC 3629, 4: the second byte's range depends on the first; the others are 80-BF. */
    unsigned char low = 0x80, high = 0xbf;
    size_t len = 0;
    if (text[0] >= 0xc2 && text[0] <= 0xdf) len = 2;
    if (text[0] >= 0xe0 && text[0] <= 0xef) len = 3;
    if (text[0] >= 0xf0 && text[0] <= 0xf4) len = 4;
    if (text[0] == 0xc2) low = 0xa0;  /* below are C1 */
    if (text[0] == 0xe0) low = 0xa0;  /* overlong */
    if (text[0] == 0xed) high = 0x9f; /* surrogates */
    if (text[0] == 0xf0) low = 0x90;  /* overlong */
    if (text[0] == 0xf4) high = 0x8f; /* beyond U+10FFFF */
    if (len == 0 || text[1] < low || text[1] > high) return 0;
    for (size_t i = 2; i < len; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf) return 0;
    }
    return len;
}

bool field_text(const char *text, size_t min, size_t max)
{
    const unsigned char *bytes = (const unsigned char *)(text != NULL ? text : "");
    size_t len = 0;
    while (len <= max && bytes[len] != '\0') {
        size_t step = character_len(bytes + len);
        if (step == 0) return false;
        len += step;
    }
    return len >= min && len <= max;
}

bool field_texts(const char *const *texts, size_t num, size_t min, size_t max)
{
    for (size_t i = 0; i < num; i++) {
        if (!field_text(texts[i], min, max)) return false;
    }
    return true;
}

void field_text_repair(char *out, size_t out_len, const char *text)
{
    const unsigned char *bytes = (const unsigned char *)(text != NULL ? text : "");
    size_t used = 0;
    while (*bytes != '\0') {
        size_t step = character_len(bytes);
        size_t len = step > 0 ? step : 1;
        if (used + len >= out_len) break;
        if (step > 0)
            memcpy(out + used, bytes, len);
        else
            out[used] = '?';
        used += len;
        bytes += len;
    }
    out[used] = '\0';
}

bool field_certificate(struct bytes der)
{
    return der.len >= 1 && der.len <= LIMIT_CERTIFICATE;
}

bool field_certificates(const struct bytes *ders, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        if (!field_certificate(ders[i])) return false;
    }
    return true;
}

bool field_serial(struct bytes serial)
{
    return serial.len >= 1 && serial.len <= LIMIT_SERIAL && (serial.len == 1 || serial.data[0] != 0);
}

bool field_pid(uint32_t pid)
{
    return pid >= 1 && pid <= INT32_MAX;
}
