/* One HTTP/1.1 exchange. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_HTTP_H
#define KEYWARD_BROWSER_SHIM_CLIENT_HTTP_H

#include "browser-shim/client_address.h"
#include "browser-shim/client_field.h"
#include "browser-shim/client_progress.h"
#include "browser-shim/client_response.h"
#include "browser-shim/client_tls.h"

/* What is sent with a request: text, or what a descriptor has. */
struct client_upload {
    const char *text; /* NULL: from fd */
    int fd;           /* -1 with no text: nothing is sent */
    uint64_t len;
    bool is_chunked; /* until fd's end; len is not known (RFC 9112, 7.1) */
};

struct client_request {
    const char *method;
    const struct client_url *url;
    const struct client_fields *fields; /* in the place of ours, or beside them */
    const char *content_type;           /* NULL: the server may guess */
    const struct client_upload *upload;
    uint64_t *out_sent; /* bytes of it */
    struct client_progress *progress;
};

/* client_http_exchange sends the request and reads the response, whose body goes to the response's output. */
MUST_CHECK enum err client_http_exchange(struct client_tls *tls, struct client_response *response,
                                         const struct client_request *request, struct diag *diag);

#endif
