#include "tests/bench/tls_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

SSL_CTX *tls_client_new(const char *ca, const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    if (tls == NULL) return NULL;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 && SSL_CTX_load_verify_locations(tls, ca, NULL) == 1 &&
        SSL_CTX_use_certificate_chain_file(tls, certificate) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1)
        return tls;
    ERR_print_errors_fp(stderr);
    SSL_CTX_free(tls);
    return NULL;
}

struct sockaddr_in tls_client_address(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
}

bool tls_client_connect(struct tls_client_conn *out, SSL_CTX *tls, const struct sockaddr_in *address)
{
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Finished and the request are two writes: the second must not wait for the first one's delayed acknowledgement. */
    const int on = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        perror("connect");
        return false;
    }
    SSL *ssl = SSL_new(tls);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, "localhost") != 1) {
        SSL_free(ssl);
        return false;
    }
    *out = (struct tls_client_conn){.ssl = ssl, .fd = auto_keep_fd(&fd)};
    return true;
}

void tls_client_close(struct tls_client_conn *conn)
{
    if (conn->ssl == NULL) return;
    SSL_free(conn->ssl);
    close(conn->fd);
    conn->ssl = NULL;
}
