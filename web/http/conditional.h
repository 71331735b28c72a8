/* Conditional requests (RFC 9110, 13): has the client what we would send? */
#ifndef KEYWARD_WEB_HTTP_CONDITIONAL_H
#define KEYWARD_WEB_HTTP_CONDITIONAL_H

#include "web/http/request.h"

#define CONDITIONAL_NO_DATE UINT64_MAX

/* conditional_not_modified says whether 304 is the answer for GET or HEAD. The etag has its quotes; modified_s is
 * CONDITIONAL_NO_DATE if the resource has no date. If-None-Match wins over If-Modified-Since (13.2.2). */
bool conditional_not_modified(const struct request *request, const char *etag, uint64_t modified_s);

#endif
