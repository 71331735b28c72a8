#include "keyd/name.h"

#include <stddef.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool label_valid(const char *label, size_t len)
{
    if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-') return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(label[i]) && !is_letter(label[i]) && label[i] != '-') return false;
    }
    return true;
}

bool name_is_dns(const char *name)
{
    if (strlen(name) > 253) return false;
    const char *label = name;
    for (;;) {
        const size_t len = strcspn(label, ".");
        if (!label_valid(label, len)) return false;
        if (label[len] == '\0') return strspn(label, "0123456789") < len;
        label += len + 1;
    }
}
