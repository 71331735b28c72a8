/* What a person types: https://HOST[:PORT]/PATH, or HOST:PORT. Nothing here touches the network. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_ADDRESS_H
#define KEYWARD_BROWSER_SHIM_CLIENT_ADDRESS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/limits.h"

struct client_address {
    char host[LIMIT_NAME + 1]; /* a name, or an IP address without brackets */
    char port[sizeof "65535"];
    bool is_ip;
};

struct client_url {
    struct client_address address;
    char authority[LIMIT_NAME + sizeof "[]:65535"]; /* for the Host field: as in the URL, no default port */
    char target[LIMIT_URL + 2];                     /* origin form (RFC 9112, 3.2.1): path and query */
};

/* client_url_parse reads an https URL. A fragment is dropped, as it is never sent. ERR_INPUT. */
MUST_CHECK enum err client_url_parse(struct client_url *out, const char *text, struct diag *diag);

/* client_address_parse reads HOST:PORT, an IPv6 address in brackets. ERR_INPUT. */
MUST_CHECK enum err client_address_parse(struct client_address *out, const char *text, struct diag *diag);

#endif
