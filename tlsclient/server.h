/* The inside of a server, for this room. */
#ifndef KEYWARD_TLSCLIENT_SERVER_H
#define KEYWARD_TLSCLIENT_SERVER_H

#include <openssl/ssl.h>

#include "tlsclient/tlsclient.h"

struct tlsclient_server {
    SSL_CTX *ctx;
    char host[LIMIT_NAME + 1];
    bool is_ip;
    bool foreign;
};

#endif
