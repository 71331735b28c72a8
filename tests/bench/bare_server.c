/* What the TLS library itself costs: a server that makes a TLS 1.3 handshake with a client certificate, its key beside it,
 * answers one GET and closes. No files, no log, no deadlines; of a loop as much as keeps it from sleeping inside a handshake, which
 * on a busy machine costs more than the loop.
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
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n"
                             "Connection: close\r\n\r\nHello World";

/* Does what can be done now. True if the connection is over. */
static bool serve(SSL *ssl)
{
    char request[4096];
    ERR_clear_error();
    int result = SSL_in_init(ssl) ? SSL_accept(ssl) : 1;
    if (result == 1) result = SSL_read(ssl, request, sizeof request);
    if (result <= 0) return SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ;
    if (SSL_write(ssl, answer, sizeof answer - 1) == sizeof answer - 1) SSL_shutdown(ssl);
    return true;
}

static void close_conn(SSL *ssl)
{
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static bool watch(int epoll, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void welcome(SSL_CTX *tls, int epoll, int listener)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    SSL *ssl = SSL_new(tls);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || !watch(epoll, fd, ssl)) exit(111);
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
    const int listener = listen_anywhere(&port), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (tls == NULL || listener < 0 || !watch(epoll, listener, NULL)) {
        ERR_print_errors_fp(stderr);
        perror("bare_server");
        return 111;
    }
    signal(SIGPIPE, SIG_IGN);
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        for (int i = 0, num = epoll_wait(epoll, events, EVENTS, -1); i < num; i++) {
            if (events[i].data.ptr == NULL)
                welcome(tls, epoll, listener);
            else if (serve(events[i].data.ptr))
                close_conn(events[i].data.ptr);
        }
    }
}
