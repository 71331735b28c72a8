#include "base/host_name.h"

#include <string.h>
#include <strings.h>

bool host_name_is_wildcard(const char *pattern)
{
    if (strncmp(pattern, "*.", 2) != 0 || strchr(pattern + 1, '*') != NULL) return false;
    const char *dot = strchr(pattern + 2, '.');
    return pattern[2] != '.' && dot != NULL && dot[1] != '\0' && pattern[2] != '\0';
}

bool host_name_matches(const char *pattern, const char *name)
{
    if (name[0] == '\0' || strchr(name, '*') != NULL) return false;
    if (strchr(pattern, '*') == NULL) return strcasecmp(pattern, name) == 0;
    const char *rest = strchr(name, '.');
    return host_name_is_wildcard(pattern) && rest != NULL && rest != name && strcasecmp(pattern + 1, rest) == 0;
}
