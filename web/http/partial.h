/* Answers that are parts of a file (RFC 9110, 14 and 15.3.7). */
#ifndef KEYWARD_WEB_HTTP_PARTIAL_H
#define KEYWARD_WEB_HTTP_PARTIAL_H

#include "web/http/range.h"
#include "web/http/response.h"

/* A file that is about to be answered with. */
struct partial {
    struct open_file *file;
    uint64_t size;
    const char *type; /* a constant; at most 60 bytes */
};

/* partial_answer sets the response to the ranges: one as it is, several as multipart/byteranges. The response becomes one more
 * holder of the file. ERR_MEMORY, ERR_SYSTEM (no random numbers). */
MUST_CHECK enum err partial_answer(struct response *response, const struct partial *file, const struct range *ranges,
                                   size_t num_ranges);

/* partial_refuse sets the response to 416. */
void partial_refuse(struct response *response, uint64_t size);

#endif
