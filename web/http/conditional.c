#include "web/http/conditional.h"

#include <string.h>

/* Walks a list of entity tags: [W/]"opaque", separated by commas. The comparison is the weak one (RFC 9110, 8.8.3.2). */
static bool list_has(const char *list, const char *etag)
{
    size_t etag_len = strlen(etag);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        if (strncmp(at, "W/", 2) == 0) at += 2;
        if (*at != '"') return false;
        const char *close = strchr(at + 1, '"');
        if (close == NULL) return false;
        size_t len = (size_t)(close - at) + 1;
        if (len == etag_len && memcmp(at, etag, len) == 0) return true;
        at = close + 1;
        at += strspn(at, " \t");
        if (*at != ',') return false;
    }
    return false;
}

bool conditional_not_modified(const struct request *request, const char *etag, uint64_t modified_s)
{
    if (request->if_none_match != NULL)
        return strcmp(request->if_none_match, "*") == 0 || list_has(request->if_none_match, etag);
    uint64_t since;
    if (request->if_modified_since[0] == '\0' || modified_s == CONDITIONAL_NO_DATE) return false;
    return date_parse(&since, request->if_modified_since) == ERR_OK && modified_s <= since;
}
