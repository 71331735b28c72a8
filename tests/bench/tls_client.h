/* A TLS 1.3 client with a certificate, blocking, for the programs that load servers. */
#ifndef KEYWARD_BENCH_TLS_CLIENT_H
#define KEYWARD_BENCH_TLS_CLIENT_H

#include <netinet/in.h>
#include <openssl/base.h>
#include <stdbool.h>

/* One connection. Zero state: none. */
struct tls_client_conn {
    SSL *ssl;
    int fd;
};

/* tls_client_new reads the CA of servers, and the client's certificate and key (PEM files). NULL, after a line on standard
 * error: they are no good. */
SSL_CTX *tls_client_new(const char *ca, const char *certificate, const char *key);

/* tls_client_address is the port of 127.0.0.1 that is written there. */
struct sockaddr_in tls_client_address(const char *port);

/* tls_client_connect makes the TCP connection and what TLS needs; the handshake is the caller's. */
bool tls_client_connect(struct tls_client_conn *out, SSL_CTX *tls, const struct sockaddr_in *address);
void tls_client_close(struct tls_client_conn *conn);

#endif
