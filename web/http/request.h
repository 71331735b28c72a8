/* A request as both protocols give it: the method, the target, and the few header fields that anything here looks at.
 * All limits on its head are kept here. */
#ifndef KEYWARD_WEB_HTTP_REQUEST_H
#define KEYWARD_WEB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "web/http/date.h"
#include "web/http/negotiate.h"
#include "web/http/target.h"

#define REQUEST_METHOD_UNKNOWN (-1)
#define REQUEST_DATE 40u /* the longest form of RFC 9110, 5.6.7 and a NUL have 34 bytes */

/* Whether the message has a body, and how its end is known. */
enum request_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

/* Which protocol's rules apply. */
enum request_version { VERSION_HTTP10, VERSION_HTTP11, VERSION_HTTP2 };

struct request {
    enum request_version version;
    int method; /* http_parser.h's enum http_method, or REQUEST_METHOD_UNKNOWN */
    struct target target;

    size_t num_fields;
    size_t num_hosts;
    size_t num_lengths;
    size_t num_codings;
    size_t list_size; /* HTTP/2 only: as in RFC 9113, 6.5.2 */

    char host[LIMIT_NAME + sizeof(":65535")];
    uint64_t length; /* if num_lengths is 1 */
    bool chunked;
    bool expect_continue;
    bool takes_trailers; /* TE: the client wants to know what is behind the answer's body */
    bool has_body;       /* something follows the head */
    /* NULL if there is none; several fields are joined by ", ". */
    char *if_match;
    char *if_none_match;
    char *if_range;
    char *range;
    size_t num_ranges;
    char if_modified_since[REQUEST_DATE];
    char if_unmodified_since[REQUEST_DATE];
    struct codings codings;
    bool wants_html; /* Accept names it */
    bool has_content_range;
    bool keeps_agent; /* whether anybody wants these two; NULL if there is none */
    char *referer;
    char *user_agent;
    bool keeps_fields; /* whether anybody wants all of them, as they came: */
    char *kept;        /* names and values, each with its NUL */
    size_t kept_len;
    size_t kept_room;
};

/* One of the kept fields. */
struct request_kept {
    const char *name; /* NULL before the first */
    const char *value;
};

void request_init(struct request *request, enum request_version version);
void request_cleanup(struct request *request);

/* The method by its name; unknown ones are not yet a fault. */
void request_set_method(struct request *request, struct bytes name);

/* One header field, the name without its colon, the value without the white space around it. */
struct fault request_add_field(struct request *request, struct bytes name, struct bytes value);

/* request_next_field goes on to the next of the kept fields; false: there was none. */
bool request_next_field(const struct request *request, struct request_kept *field);

/* request_check says whether what has been gathered is a request as a whole: one Host, one way to tell the body's
 * end. */
struct fault request_check(struct request *request);

enum request_framing request_framing(const struct request *request);

/* request_method_name returns the method for a log line: "?" if it is not known. */
const char *request_method_name(const struct request *request);

#endif
