/* One HTTP/1.1 exchange. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_HTTP_H
#define KEYWARD_BROWSER_SHIM_CLIENT_HTTP_H

#include "browser-shim/client_address.h"
#include "browser-shim/client_response.h"
#include "browser-shim/client_tls.h"

/* What is uploaded: len bytes from a descriptor. fd -1: nothing, the request is a GET. */
struct client_upload {
    int fd;
    uint64_t len;
};

/* client_http_exchange sends the request and reads the response, whose body goes to the response's output. */
MUST_CHECK enum err client_http_exchange(struct client_tls *tls, struct client_response *response,
                                         const struct client_url *url, const struct client_upload *upload,
                                         struct diag *diag);

#endif
