/* An HTTP/1.1 response, taken apart as it arrives (http-parser). */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_RESPONSE_H
#define KEYWARD_BROWSER_SHIM_CLIENT_RESPONSE_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "browser-shim/client_output.h"
#include "browser-shim/client_progress.h"

struct client_response {
    http_parser parser;
    struct client_output *output; /* gets the body of a 2xx */
    struct client_progress *progress;
    struct diag *diag;
    enum err err;    /* the output's, if it failed */
    unsigned status; /* 0: not known yet */
    char reason[64]; /* as the server phrased it, cut */
    size_t reason_len;
    char date[32]; /* the field Date, empty: there is none, or too long a one */
    size_t date_len;
    char field[8]; /* the beginning of the field's name that is being read */
    size_t field_len;
    bool in_value;
    uint64_t body_len; /* bytes of the body so far */
    bool complete;
};

/* client_response_init prepares for the one response to a GET, PUT or POST. What it is given stays the caller's. */
void client_response_init(struct client_response *response, struct client_output *output,
                          struct client_progress *progress, struct diag *diag);

/* client_response_feed takes bytes from the connection; complete says when it has seen the last. Interim responses (1xx,
 * RFC 9110, 15.2) are passed over. ERR_MALFORMED: not HTTP; ERR_SYSTEM: the output failed. diag is set. */
MUST_CHECK enum err client_response_feed(struct client_response *response, const uint8_t *data, size_t len);

/* client_response_end takes the end of the connection, which ends a body that has no length (RFC 9112, 6.3).
 * ERR_CLOSED: it came too early. diag is set. */
MUST_CHECK enum err client_response_end(struct client_response *response);

#endif
