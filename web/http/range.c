#include "web/http/range.h"

#include <stdbool.h>
#include <string.h>

/* A number that is too large to hold is as good as the largest: beyond every file. False: no digits. */
static bool read_number(uint64_t *out, const char **at)
{
    const char *text = *at;
    uint64_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            number = UINT64_MAX;
    }
    bool any = text != *at;
    *at = text;
    *out = number;
    return any;
}

/* One of the set: FIRST-, FIRST-LAST or -SUFFIX. False: not a range. A len of 0: not there. */
static bool read_range(struct range *out, const char **at, uint64_t size)
{
    uint64_t first = 0;
    uint64_t last = 0;
    *out = (struct range){0, 0};
    bool has_first = read_number(&first, at);
    if (**at != '-') return false;
    ++*at;
    bool has_last = read_number(&last, at);
    if (!has_first) {
        uint64_t len = last < size ? last : size;
        *out = (struct range){size - len, len};
        return has_last;
    }
    if (has_last && last < first) return false;
    if (!has_last || last >= size) last = size - 1; /* of no meaning for a size of 0, and not used */
    if (first < size) *out = (struct range){first, last - first + 1};
    return true;
}

enum range_verdict range_parse(struct range out[LIMIT_HTTP_RANGES], size_t *out_num, const char *text, uint64_t size)
{
    static const char unit[] = "bytes=";
    size_t num_asked = 0;
    uint64_t total = 0;
    *out_num = 0;
    if (strncasecmp(text, unit, sizeof(unit) - 1) != 0) return RANGE_WHOLE;
    const char *at = text + sizeof(unit) - 1;
    for (;;) {
        at += strspn(at, " \t,");
        if (*at == '\0') break;
        struct range range;
        if (++num_asked > LIMIT_HTTP_RANGES || !read_range(&range, &at, size)) return RANGE_WHOLE;
        at += strspn(at, " \t");
        if (*at != ',' && *at != '\0') return RANGE_WHOLE;
        if (range.len == 0) continue;
        if (range.len > size - total) return RANGE_WHOLE;
        total += range.len;
        out[(*out_num)++] = range;
    }
    if (*out_num > 0) return RANGE_PARTS;
    return num_asked > 0 ? RANGE_UNSATISFIABLE : RANGE_WHOLE;
}
