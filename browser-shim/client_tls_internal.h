/* What the files of client_tls share. Nobody else includes this. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_TLS_INTERNAL_H
#define KEYWARD_BROWSER_SHIM_CLIENT_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "browser-shim/client_tls.h"
#include "browser-shim/client_tls_error.h"
#include "browser-shim/client_tls_watch.h"
#include "proto/link.h"

struct client_tls {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    struct link handle;
    struct codec_arena *arena; /* of keyd's answers */
    uint64_t request;          /* the id of the last one */
    struct client_tls_story story;
    char host[LIMIT_NAME + 1];     /* the story's */
    struct client_tls_watch watch; /* all zero: nobody looks */
    bool version_known;            /* the server has chosen one; only for who looks */
    /* The handshake's messages so far, each with its header, for keyd to see what it signs. */
    uint8_t messages[LIMIT_CLIENT_TRANSCRIPT];
    size_t messages_len;
    bool messages_overflow;
};

/* client_tls_forget_errors comes before a TLS call: what went wrong earlier must not explain what goes wrong now. */
void client_tls_forget_errors(void);

/* client_tls_wait_or_explain comes after a TLS call that returned result: waits, or says in diag why it failed. */
MUST_CHECK enum err client_tls_wait_or_explain(struct client_tls *tls, int result, uint64_t deadline_ms,
                                               struct diag *diag);

/* client_tls_report tells who looks of a message that BoringSSL has written or read. */
void client_tls_report(struct client_tls *tls, bool from_client, int content_type, struct bytes data);

#endif
