/* Range requests (RFC 9110, 14): which bytes of a representation are asked for. */
#ifndef KEYWARD_WEB_HTTP_RANGE_H
#define KEYWARD_WEB_HTTP_RANGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct range {
    uint64_t start;
    uint64_t len; /* at least 1; start + len is at most the size */
};

enum range_verdict {
    RANGE_WHOLE,         /* nothing that is to be taken for a range: answer as if there were no such field */
    RANGE_PARTS,         /* these */
    RANGE_UNSATISFIABLE, /* none of them is there: 416 */
};

/* range_parse reads a Range field for a representation of size bytes. Whole is the answer also for more than
 * LIMIT_HTTP_RANGES of them, and for those that together are longer than the representation, as overlapping ones are
 * (RFC 9110, 14.2 allows it). Numbers of any length are understood. */
enum range_verdict range_parse(struct range out[LIMIT_HTTP_RANGES], size_t *out_num, const char *text, uint64_t size);

#endif
