#include "web/tls_socket.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"

/* The longest record, so that one read is enough for any. */
enum { READ_AHEAD = SSL3_RT_HEADER_LENGTH + SSL3_RT_MAX_ENCRYPTED_LENGTH, SMALL = 2048 };

struct tls_socket {
    int fd;
    bool drained; /* by the last read */
    /* What has been read and was not asked for yet. */
    uint8_t *ahead;
    size_t ahead_at, ahead_len;
    /* What has been written and is not sent yet. */
    uint8_t *kept;
    size_t kept_at, kept_len, kept_cap;
};

static int take_ahead(struct tls_socket *socket, uint8_t *out, size_t cap)
{
    const size_t left = socket->ahead_len - socket->ahead_at, len = left < cap ? left : cap;
    memcpy(out, socket->ahead + socket->ahead_at, len);
    socket->ahead_at += len;
    if (socket->ahead_at == socket->ahead_len) {
        free(socket->ahead);
        socket->ahead = NULL;
    }
    return (int)len;
}

static int read_socket(BIO *bio, char *out, int cap)
{
    static uint8_t piece[READ_AHEAD];
    struct tls_socket *socket = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (cap <= 0) return 0;
    if (socket->ahead != NULL) return take_ahead(socket, (uint8_t *)out, (size_t)cap);
    ssize_t got = -1;
    errno = EAGAIN;
    if (!socket->drained) {
        do got = read(socket->fd, piece, sizeof piece);
        while (got < 0 && errno == EINTR);
    }
    if (got < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    if (got <= 0) return (int)got;
    socket->drained = (size_t)got < sizeof piece;
    const size_t len = got < cap ? (size_t)got : (size_t)cap, rest = (size_t)got - len;
    if (rest > 0) {
        socket->ahead = malloc(rest);
        if (socket->ahead == NULL) return -1;
        memcpy(socket->ahead, piece + len, rest);
        socket->ahead_at = 0;
        socket->ahead_len = rest;
    }
    memcpy(out, piece, len);
    return (int)len;
}

/* Most of what is kept is an answer's single record; a second one is a large file's. */
static bool make_room(struct tls_socket *socket, size_t len)
{
    if (socket->kept_cap - socket->kept_len >= len) return true;
    const size_t cap = socket->kept_len + len <= SMALL ? SMALL : LIMIT_TLS_KEPT;
    uint8_t *kept = realloc(socket->kept, cap);
    if (kept == NULL) return false;
    socket->kept = kept;
    socket->kept_cap = cap;
    return true;
}

enum tls_socket_flush tls_socket_flush(BIO *bio)
{
    struct tls_socket *socket = BIO_get_data(bio);
    while (socket->kept_at < socket->kept_len) {
        const ssize_t sent = write(socket->fd, socket->kept + socket->kept_at, socket->kept_len - socket->kept_at);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN ? TLS_SOCKET_WAIT : TLS_SOCKET_LOST;
        socket->kept_at += (size_t)sent;
    }
    free(socket->kept);
    socket->kept = NULL;
    socket->kept_at = socket->kept_len = socket->kept_cap = 0;
    return TLS_SOCKET_FLUSHED;
}

static int flush_for_tls(BIO *bio)
{
    BIO_clear_retry_flags(bio);
    switch (tls_socket_flush(bio)) {
    case TLS_SOCKET_FLUSHED: return 1;
    case TLS_SOCKET_WAIT: BIO_set_retry_write(bio); break;
    case TLS_SOCKET_LOST: break;
    }
    return -1;
}

static int write_socket(BIO *bio, const char *data, int len)
{
    struct tls_socket *socket = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0) return 0;
    if ((size_t)len > LIMIT_TLS_KEPT - socket->kept_len && flush_for_tls(bio) != 1) return -1;
    const size_t taken = (size_t)len < LIMIT_TLS_KEPT ? (size_t)len : LIMIT_TLS_KEPT;
    if (!make_room(socket, taken)) return -1;
    memcpy(socket->kept + socket->kept_len, data, taken);
    socket->kept_len += taken;
    return (int)taken;
}

static long control_socket(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? flush_for_tls(bio) : 0;
}

static int free_socket(BIO *bio)
{
    struct tls_socket *socket = BIO_get_data(bio);
    if (socket == NULL) return 1;
    free(socket->ahead);
    free(socket->kept);
    free(socket);
    return 1;
}

static const BIO_METHOD *method(void)
{
    static BIO_METHOD *method;
    if (method != NULL) return method;
    method = BIO_meth_new(0, "socket");
    CHECK(method != NULL && BIO_meth_set_read(method, read_socket) && BIO_meth_set_write(method, write_socket) &&
          BIO_meth_set_ctrl(method, control_socket) && BIO_meth_set_destroy(method, free_socket));
    return method;
}

BIO *tls_socket_new(int fd)
{
    struct tls_socket *socket = calloc(1, sizeof *socket);
    BIO *bio = socket != NULL ? BIO_new(method()) : NULL;
    if (bio == NULL) {
        free(socket);
        return NULL;
    }
    socket->fd = fd;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}

void tls_socket_readable(BIO *bio)
{
    struct tls_socket *socket = BIO_get_data(bio);
    socket->drained = false;
}

bool tls_socket_is_flushed(BIO *bio)
{
    const struct tls_socket *socket = BIO_get_data(bio);
    return socket->kept == NULL;
}
