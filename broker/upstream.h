/* Where applications are: PREFIX=UPSTREAM, as an option gives it. */
#ifndef KEYWARD_BROKER_UPSTREAM_H
#define KEYWARD_BROKER_UPSTREAM_H

#include <stdbool.h>

#include "base/err.h"
#include "base/limits.h"
#include "broker/address.h"

struct upstream_place {
    char prefix[LIMIT_PROXY_PREFIX + 1];
    char text[LIMIT_PROXY_UPSTREAM + 1]; /* as it was given */
    struct address address;              /* AF_UNIX with an absolute path, or TCP on a loopback address; not with TLS */
    bool tls;                            /* what goes there is encrypted */
    char host[LIMIT_NAME + 1];           /* with TLS: where it is, which its certificate has to say too */
    uint16_t port;
};

/* upstream_port returns its TCP port; 0: it is a Unix socket. */
uint16_t upstream_port(const struct upstream_place *place);

/* upstream_parse reads /PREFIX=unix:/PATH, /PREFIX=http://ADDR:PORT or /PREFIX=https://HOST:PORT. ERR_INPUT with what is wrong. */
MUST_CHECK enum err upstream_parse(struct upstream_place *out, const char *text, struct diag *diag);

/* upstream_parse_unix reads an absolute path as the address of a Unix socket. ERR_INPUT with what is wrong. */
MUST_CHECK enum err upstream_parse_unix(struct address *out, const char *path, struct diag *diag);

#endif
