#include "browser-shim/client_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 16384 };

static enum err send_head(struct client_tls *tls, const struct client_url *url, const struct client_upload *upload,
                          struct diag *diag)
{
    char head[LIMIT_URL + LIMIT_NAME + 512];
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\n"
                       "Host: %s\r\n"
                       "User-Agent: keyward-browser-shim\r\n"
                       "Accept: */*\r\n"
                       "Connection: close\r\n",
                       upload->fd >= 0 ? "PUT" : "GET", url->target, url->authority);
    size_t used = (size_t)len;
    if (upload->fd >= 0) {
        len = snprintf(head + used, sizeof head - used, "Content-Length: %llu\r\n", (unsigned long long)upload->len);
        used += (size_t)len;
    }
    len = snprintf(head + used, sizeof head - used, "\r\n");
    used += (size_t)len;
    return client_tls_write(tls, (const uint8_t *)head, used, diag);
}

/* Reads once. A response that ends, with or without its last byte, is complete or an error afterwards. */
static enum err receive(struct client_tls *tls, struct client_response *response, enum client_tls_wait wait,
                        struct diag *diag)
{
    uint8_t data[CHUNK];
    size_t len = 0;
    enum err err = client_tls_read(tls, data, &len, sizeof data, wait, diag);
    if (err != ERR_OK) return err;
    return len > 0 ? client_response_feed(response, data, len) : client_response_end(response);
}

/* Sends the file. A server that answers before it has all of it has decided: no more is sent. */
static enum err send_body(struct client_tls *tls, struct client_response *response, const struct client_upload *upload,
                          struct diag *diag)
{
    uint8_t data[CHUNK];
    for (uint64_t left = upload->len; left > 0 && response->status < 200;) {
        ssize_t len = read(upload->fd, data, left < CHUNK ? (size_t)left : CHUNK);
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) return diag_set(diag, ERR_SYSTEM, "cannot read the file: %s", strerror(errno));
        if (len == 0) {
            return diag_set(diag, ERR_INPUT, "the file became shorter while it was sent; try again when it is at rest");
        }
        enum err err = client_tls_write(tls, data, (size_t)len, diag);
        /* A server that closed may have said why. */
        if (err == ERR_CLOSED) return ERR_OK;
        if (err != ERR_OK) return err;
        left -= (uint64_t)len;
        err = receive(tls, response, CLIENT_TLS_NO_WAIT, diag);
        if (err != ERR_OK && err != ERR_AGAIN) return err;
    }
    return ERR_OK;
}

enum err client_http_exchange(struct client_tls *tls, struct client_response *response, const struct client_url *url,
                              const struct client_upload *upload, struct diag *diag)
{
    enum err err = send_head(tls, url, upload, diag);
    if (err == ERR_OK && upload->fd >= 0) err = send_body(tls, response, upload, diag);
    while (err == ERR_OK && !response->complete) err = receive(tls, response, CLIENT_TLS_WAIT, diag);
    return err;
}
