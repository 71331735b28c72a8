/* Conditional requests (RFC 9110, 13). Entity tags are given with their quotes, and are strong. */
#ifndef KEYWARD_WEB_HTTP_CONDITIONAL_H
#define KEYWARD_WEB_HTTP_CONDITIONAL_H

#include "web/http/request.h"

#define CONDITIONAL_NO_DATE UINT64_MAX

enum conditional {
    CONDITIONAL_GO,           /* as if there were no condition */
    CONDITIONAL_NOT_MODIFIED, /* 304 */
    CONDITIONAL_FAILED,       /* 412 */
};

/* conditional_read judges GET or HEAD of a resource that is there, in the order of 13.2.2. modified_s is
 * CONDITIONAL_NO_DATE if it has no date. */
enum conditional conditional_read(const struct request *request, const char *etag, uint64_t modified_s);

/* What must be so before something is written. Zero state: anything goes. */
struct conditional_write {
    const char *if_match;      /* NULL, or as in the request */
    const char *if_none_match; /* the same */
    const char *if_unmodified_since;
};

/* conditional_write_allows judges PUT; etag is NULL and modified_s CONDITIONAL_NO_DATE if there is nothing yet. */
bool conditional_write_allows(const struct conditional_write *condition, const char *etag, uint64_t modified_s);

/* conditional_range says whether If-Range, if there is one, lets Range count. A date never does: whoever got the
 * resource here got an entity tag too, which tells more (13.1.5). */
bool conditional_range(const struct request *request, const char *etag);

#endif
