/* What a client says behind its request's body (RFC 9110, 6.5), as an application is told it. */
#ifndef KEYWARD_WEB_PROXY_REQUEST_TRAILERS_H
#define KEYWARD_WEB_PROXY_REQUEST_TRAILERS_H

#include "base/bytes.h"
#include "base/err.h"
#include "web/http/buffer.h"
#include "web/http/target.h"
#include "web/proxy/fields.h"

/* Zero state: none. */
struct request_trailers {
    struct fields_nominated nominated; /* by the header section */
    struct buffer lines;
    size_t num;
};

/* request_trailers_add adds a line if the field passes (web/proxy/fields.h). What is wrong: 431, 503. */
MUST_CHECK struct fault request_trailers_add(struct request_trailers *trailers, struct bytes name, struct bytes value);

void request_trailers_free(struct request_trailers *trailers);

#endif
