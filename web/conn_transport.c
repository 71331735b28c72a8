/* What a session says and hears, through TLS; or as it is, where TLS is off. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "web/conn_internal.h"
#include "web/tls_socket.h"

static enum conn_transfer plain_receive(struct conn *conn, uint8_t *out, size_t *out_len, size_t cap)
{
    ssize_t got;
    do got = read(conn->fd, out, cap);
    while (got < 0 && errno == EINTR);
    if (got == 0) return TRANSFER_ENDED;
    if (got < 0) return errno == EAGAIN ? TRANSFER_WAIT : TRANSFER_LOST;
    *out_len = (size_t)got;
    return TRANSFER_DONE;
}

/* Nobody says in TLS that a cut connection was not cut on the way: without close_notify it may have been cut by anyone, and
 * nothing more is answered. */
enum conn_transfer conn_receive(struct conn *conn, uint8_t *out, size_t *out_len, size_t cap)
{
    *out_len = 0;
    if (conn->ssl == NULL) return plain_receive(conn, out, out_len, cap);
    ERR_clear_error();
    int result = SSL_read(conn->ssl, out, (int)cap);
    if (result > 0) {
        *out_len = (size_t)result;
        return TRANSFER_DONE;
    }
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ: return TRANSFER_WAIT;
    case SSL_ERROR_ZERO_RETURN: return TRANSFER_ENDED;
    default: return TRANSFER_LOST;
    }
}

static enum conn_transfer plain_send(struct conn *conn, size_t *out_taken, const uint8_t *data, size_t len)
{
    while (*out_taken < len) {
        const ssize_t wrote = write(conn->fd, data + *out_taken, len - *out_taken);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno == EAGAIN ? TRANSFER_WAIT : TRANSFER_LOST;
        *out_taken += (size_t)wrote;
    }
    return TRANSFER_DONE;
}

/* At most a record, so that TLS takes all or nothing of it. */
enum conn_transfer conn_send(struct conn *conn, size_t *out_taken, const uint8_t *data, size_t len)
{
    *out_taken = 0;
    if (conn->ssl == NULL) return plain_send(conn, out_taken, data, len);
    ERR_clear_error();
    int result = SSL_write(conn->ssl, data, (int)len);
    if (result > 0) {
        CHECK((size_t)result == len);
        *out_taken = len;
        return TRANSFER_DONE;
    }
    return SSL_get_error(conn->ssl, result) == SSL_ERROR_WANT_WRITE ? TRANSFER_WAIT : TRANSFER_LOST;
}

enum conn_transfer conn_flush(struct conn *conn)
{
    if (conn->ssl == NULL) return TRANSFER_DONE;
    switch (tls_socket_flush(SSL_get_wbio(conn->ssl))) {
    case TLS_SOCKET_FLUSHED: return TRANSFER_DONE;
    case TLS_SOCKET_WAIT: return TRANSFER_WAIT;
    case TLS_SOCKET_LOST: break;
    }
    return TRANSFER_LOST;
}

enum conn_transfer conn_send_end(struct conn *conn)
{
    if (conn->ssl == NULL) return TRANSFER_DONE; /* shutdown says it */
    ERR_clear_error();
    int result = SSL_shutdown(conn->ssl);
    if (result >= 0) return conn_flush(conn);
    enum conn_transfer transfer =
        SSL_get_error(conn->ssl, result) == SSL_ERROR_WANT_WRITE ? TRANSFER_WAIT : TRANSFER_LOST;
    ERR_clear_error();
    return transfer;
}
