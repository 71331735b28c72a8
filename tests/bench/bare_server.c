/* What the TLS library itself costs: a server that accepts one connection after the other, makes a TLS 1.3 handshake with a
 * client certificate, its key beside it, answers one GET and closes. No loop, no files, no log, nothing around it.
 *
 * bare_server CERTIFICATE KEY CA: writes its port, and serves until it is killed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n"
                             "Connection: close\r\n\r\nHello World";

static void ssl_free(SSL **ssl)
{
    SSL_free(*ssl);
}

static void serve(SSL_CTX *tls, int fd)
{
    char request[4096];
    AUTO(ssl_free) SSL *ssl = SSL_new(tls);
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0 &&
        SSL_write(ssl, answer, sizeof answer - 1) == sizeof answer - 1)
        SSL_shutdown(ssl);
    ERR_clear_error();
}

static SSL_CTX *context_new(char **argv)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    if (tls == NULL) return NULL;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_client_CA_list(tls, SSL_load_client_CA_file(argv[3]));
    if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
        SSL_CTX_use_certificate_chain_file(tls, argv[1]) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls, argv[2], SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_load_verify_locations(tls, argv[3], NULL) == 1 &&
        SSL_CTX_set_session_id_context(tls, (const uint8_t *)"bare", 4) == 1)
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

static int listen_anywhere(unsigned *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 || /* accepted sockets inherit it */
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    *out_port = ntohs(address.sin_port);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bare_server CERTIFICATE KEY CA\n");
        return 100;
    }
    unsigned port;
    SSL_CTX *tls = context_new(argv);
    const int listener = listen_anywhere(&port);
    if (tls == NULL || listener < 0) {
        ERR_print_errors_fp(stderr);
        perror("bare_server");
        return 111;
    }
    signal(SIGPIPE, SIG_IGN);
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        AUTO_FD fd = accept(listener, NULL, NULL);
        if (fd >= 0) serve(tls, fd);
    }
}
