/* The client's command line. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_OPTIONS_H
#define KEYWARD_BROWSER_SHIM_CLIENT_OPTIONS_H

#include <stdint.h>

#include "browser-shim/client_address.h"
#include "browser-shim/client_field.h"

enum client_command { CLIENT_HELP, CLIENT_GET, CLIENT_PUT, CLIENT_POST, CLIENT_ECHO, CLIENT_TRACE };

struct client_options {
    enum client_command command;
    const char *runtime_dir; /* NULL: the usual one */
    const char *output;      /* NULL: standard output */
    const char *cacert;      /* NULL: the server is the one that the broker started */
    bool verbose;
    bool json;                     /* for programs */
    bool tls12;                    /* trace without TLS 1.3 */
    uint64_t from;                 /* the handle to derive one from; 0: a new one */
    const char *upload;            /* put's or post's file, "-": standard input; NULL: none */
    const char *data;              /* post's text; NULL: none */
    struct client_fields fields;   /* of get, put and post */
    struct client_url url;         /* of all but echo */
    struct client_address address; /* the url's, or echo's */
    char *const *messages;         /* echo's */
    size_t num_messages;
};

extern const char client_usage[];

/* client_options_parse reads argv, whose second entry is the command. ERR_INPUT. */
MUST_CHECK enum err client_options_parse(struct client_options *out, int argc, char **argv, struct diag *diag);

#endif
