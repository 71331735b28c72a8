/* A socket as TLS reads and writes it, in fewer system calls than there are reads and writes: BoringSSL reads each record in two
 * steps, header and body, and writes each record by itself. This BIO reads ahead what has come, and keeps what is written
 * until tls_socket_flush. BoringSSL flushes a handshake's flights and fatal alerts itself. One thread. */
#ifndef KEYWARD_WEB_TLS_SOCKET_H
#define KEYWARD_WEB_TLS_SOCKET_H

#include <openssl/base.h>
#include <stdbool.h>

/* tls_socket_new makes it of a non-blocking socket, which stays the caller's. NULL: no memory. */
BIO *tls_socket_new(int fd);

/* tls_socket_readable notes that the event loop says so. A read that came to the end of what was there is not tried again
 * before. */
void tls_socket_readable(BIO *bio);

enum tls_socket_flush {
    TLS_SOCKET_FLUSHED,
    TLS_SOCKET_WAIT, /* until the socket takes more */
    TLS_SOCKET_LOST,
};

/* tls_socket_flush writes what is kept. */
enum tls_socket_flush tls_socket_flush(BIO *bio);

/* tls_socket_is_flushed says whether nothing is kept. */
bool tls_socket_is_flushed(BIO *bio);

#endif
