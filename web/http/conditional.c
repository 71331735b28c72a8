#include "web/http/conditional.h"

#include <string.h>

/* RFC 9110, 8.8.3.2. */
enum comparison { COMPARE_WEAKLY, COMPARE_STRONGLY };

/* Walks a list of entity tags: [W/]"opaque", separated by commas. */
static bool list_has(const char *list, const char *etag, enum comparison comparison)
{
    size_t etag_len = strlen(etag);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        bool weak = strncmp(at, "W/", 2) == 0;
        if (weak) at += 2;
        if (*at != '"') return false;
        const char *close = strchr(at + 1, '"');
        if (close == NULL) return false;
        size_t len = (size_t)(close - at) + 1;
        bool counts = !weak || comparison == COMPARE_WEAKLY;
        if (counts && len == etag_len && memcmp(at, etag, len) == 0) return true;
        at = close + 1;
        at += strspn(at, " \t");
        if (*at != ',') return false;
    }
    return false;
}

static bool matches(const char *list, const char *etag, enum comparison comparison)
{
    if (etag == NULL) return false;
    return strcmp(list, "*") == 0 || list_has(list, etag, comparison);
}

/* What is no date is ignored (13.1.3, 13.1.4). */
static bool modified_after(const char *date, uint64_t modified_s, bool otherwise)
{
    uint64_t since;
    if (date == NULL || date[0] == '\0' || modified_s == CONDITIONAL_NO_DATE) return otherwise;
    return date_parse(&since, date) == ERR_OK ? modified_s > since : otherwise;
}

/* The first two steps of 13.2.2. */
static bool still_the_same(const char *if_match, const char *if_unmodified_since, const char *etag, uint64_t modified_s)
{
    if (if_match != NULL) return matches(if_match, etag, COMPARE_STRONGLY);
    return !modified_after(if_unmodified_since, modified_s, false);
}

enum conditional conditional_read(const struct request *request, const char *etag, uint64_t modified_s)
{
    if (!still_the_same(request->if_match, request->if_unmodified_since, etag, modified_s)) return CONDITIONAL_FAILED;
    if (request->if_none_match != NULL)
        return matches(request->if_none_match, etag, COMPARE_WEAKLY) ? CONDITIONAL_NOT_MODIFIED : CONDITIONAL_GO;
    return modified_after(request->if_modified_since, modified_s, true) ? CONDITIONAL_GO : CONDITIONAL_NOT_MODIFIED;
}

bool conditional_write_allows(const struct conditional_write *condition, const char *etag, uint64_t modified_s)
{
    if (!still_the_same(condition->if_match, condition->if_unmodified_since, etag, modified_s)) return false;
    return condition->if_none_match == NULL || !matches(condition->if_none_match, etag, COMPARE_WEAKLY);
}

bool conditional_range(const struct request *request, const char *etag)
{
    return request->if_range == NULL || strcmp(request->if_range, etag) == 0;
}
