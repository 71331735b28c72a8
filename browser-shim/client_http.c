#include "browser-shim/client_http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { PIECE = 16384, CHUNK_HEAD = 8 }; /* "4000\r\n" */

/* ---- The head ---------------------------------------------------------------------------------------------------- */

struct head {
    char text[LIMIT_URL + LIMIT_NAME + LIMIT_CLIENT_FIELDS_LEN + 2 * LIMIT_CLIENT_FIELDS + 512];
    size_t len;
};

/* Every part has a limit, and the sum of them fits. */
__attribute__((format(printf, 2, 3))) static void add(struct head *head, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    const int len = vsnprintf(head->text + head->len, sizeof head->text - head->len, format, values);
    va_end(values);
    CHECK(len >= 0 && (size_t)len < sizeof head->text - head->len);
    head->len += (size_t)len;
}

/* A person's own field takes the place of ours. */
static void add_ours(struct head *head, const struct client_request *request, const char *name, const char *value)
{
    if (value != NULL && !client_fields_have(request->fields, name)) add(head, "%s: %s\r\n", name, value);
}

static bool has_body(const struct client_upload *upload)
{
    return upload->text != NULL || upload->fd >= 0;
}

static enum err send_head(struct client_tls *tls, const struct client_request *request, struct diag *diag)
{
    struct head head = {.len = 0};
    const struct client_upload *upload = request->upload;
    add(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", request->method, request->url->target,
        request->url->authority);
    add_ours(&head, request, "User-Agent", "keyward-browser-shim");
    add_ours(&head, request, "Accept", "*/*");
    if (has_body(upload)) add_ours(&head, request, "Content-Type", request->content_type);
    for (size_t i = 0; i < request->fields->num; i++) add(&head, "%s\r\n", request->fields->lines[i]);
    if (has_body(upload) && upload->is_chunked) add(&head, "Transfer-Encoding: chunked\r\n");
    if (has_body(upload) && !upload->is_chunked)
        add(&head, "Content-Length: %llu\r\n", (unsigned long long)upload->len);
    add(&head, "\r\n");
    return client_tls_write(tls, (const uint8_t *)head.text, head.len, diag);
}

/* ---- The bodies -------------------------------------------------------------------------------------------------- */

/* Reads once. A response that ends, with or without its last byte, is complete or an error afterwards. */
static enum err receive(struct client_tls *tls, struct client_response *response, enum client_tls_wait wait,
                        struct diag *diag)
{
    uint8_t data[PIECE];
    size_t len = 0;
    enum err err = client_tls_read(tls, data, &len, sizeof data, wait, diag);
    if (err != ERR_OK) return err;
    return len > 0 ? client_response_feed(response, data, len) : client_response_end(response);
}

/* Sends a piece. A server that answers before it has all of it has decided: ERR_OK and *out_heard, no more is sent. */
static enum err send_piece(struct client_tls *tls, struct client_response *response, const uint8_t *data, size_t len,
                           bool *out_heard, struct diag *diag)
{
    enum err err = client_tls_write(tls, data, len, diag);
    *out_heard = err == ERR_CLOSED; /* a server that closed may have said why */
    if (err != ERR_OK) return err == ERR_CLOSED ? ERR_OK : err;
    err = receive(tls, response, CLIENT_TLS_NO_WAIT, diag);
    *out_heard = response->status >= 200;
    return err == ERR_AGAIN ? ERR_OK : err;
}

/* The next bytes of the body; none: its end. */
static enum err take_piece(const struct client_upload *upload, uint64_t done, uint8_t *out, size_t *out_len,
                           struct diag *diag)
{
    const uint64_t left = upload->is_chunked ? PIECE : upload->len - done;
    const size_t want = left < PIECE ? (size_t)left : PIECE;
    *out_len = 0;
    if (want == 0) return ERR_OK;
    if (upload->text != NULL) {
        memcpy(out, upload->text + done, want);
        *out_len = want;
        return ERR_OK;
    }
    ssize_t len;
    do {
        len = read(upload->fd, out, want);
    } while (len < 0 && errno == EINTR);
    if (len < 0) return diag_set(diag, ERR_SYSTEM, "cannot read what is to be sent: %s", strerror(errno));
    *out_len = (size_t)len;
    if (len > 0 || upload->is_chunked) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "the file became shorter while it was sent; try again when it is at rest");
}

/* A chunk around the bytes that stand behind room for its head; the last one has none of them. */
static struct bytes frame(uint8_t *buf, size_t len)
{
    char head[CHUNK_HEAD];
    const int head_len = snprintf(head, sizeof head, "%zx\r\n", len);
    uint8_t *start = buf + CHUNK_HEAD - head_len;
    memcpy(start, head, (size_t)head_len);
    memcpy(buf + CHUNK_HEAD + len, "\r\n", 2);
    return (struct bytes){start, (size_t)head_len + len + 2};
}

static enum err send_body(struct client_tls *tls, struct client_response *response,
                          const struct client_request *request, struct diag *diag)
{
    uint8_t buf[CHUNK_HEAD + PIECE + 2];
    const struct client_upload *upload = request->upload;
    client_progress_start(request->progress, "sent", upload->is_chunked ? 0 : upload->len);
    for (uint64_t done = 0;;) {
        size_t len;
        bool heard;
        enum err err = take_piece(upload, done, buf + CHUNK_HEAD, &len, diag);
        if (err != ERR_OK || (len == 0 && !upload->is_chunked)) return err;
        const struct bytes piece = upload->is_chunked ? frame(buf, len) : (struct bytes){buf + CHUNK_HEAD, len};
        err = send_piece(tls, response, piece.data, piece.len, &heard, diag);
        if (err != ERR_OK || len == 0 || heard) return err;
        done += len;
        *request->out_sent = done;
        client_progress_add(request->progress, len);
    }
}

enum err client_http_exchange(struct client_tls *tls, struct client_response *response,
                              const struct client_request *request, struct diag *diag)
{
    enum err err = send_head(tls, request, diag);
    if (err == ERR_OK && has_body(request->upload)) err = send_body(tls, response, request, diag);
    while (err == ERR_OK && !response->complete) err = receive(tls, response, CLIENT_TLS_WAIT, diag);
    client_progress_end(request->progress);
    return err;
}
