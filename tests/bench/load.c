/* A client that makes full TLS 1.3 handshakes with a client certificate, one GET on each, and nothing that would spare
 * the server work: no resumption, no keep-alive.
 *
 * load PORT TARGET CA CERTIFICATE KEY CONNECTIONS PARALLEL [CA_KEY]: PARALLEL processes share CONNECTIONS among them. With
 * the key of the CA that signed CERTIFICATE, every connection is made by a client with a certificate of its own, made here. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

enum { MAX_CONNECTIONS = 1000000, MAX_PARALLEL = 64 };

struct load {
    SSL_CTX *tls;
    EVP_PKEY *ca_key; /* NULL: one client for all connections */
    struct sockaddr_in address;
    char request[512];
    int request_len;
};

static void ssl_free(SSL **ssl)
{
    SSL_free(*ssl);
}

static void x509_free(X509 **certificate)
{
    X509_free(*certificate);
}

static int connect_to(const struct load *load)
{
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* Finished and the request are two writes: the second must not wait for the first one's delayed acknowledgement. */
    const int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return -1;
    if (connect(fd, (const struct sockaddr *)&load->address, sizeof load->address) != 0) return -1;
    return auto_keep_fd(&fd);
}

/* Reads to the end of the stream. True if a response with status 200 came. */
static bool read_response(SSL *ssl)
{
    static const char expected[] = "HTTP/1.1 200 ";
    char response[4096];
    size_t len = 0;
    for (;;) {
        int got = SSL_read(ssl, response + len, (int)(sizeof response - len));
        if (got <= 0) break;
        len += (size_t)got;
        if (len == sizeof response) return false;
    }
    return len >= sizeof expected - 1 && memcmp(response, expected, sizeof expected - 1) == 0;
}

/* The context's certificate with another serial number: a client that no server has seen. */
static bool become_another(SSL *ssl, const struct load *load)
{
    uint64_t serial;
    AUTO(x509_free) X509 *certificate = X509_dup(SSL_CTX_get0_certificate(load->tls));
    if (certificate == NULL || RAND_bytes((uint8_t *)&serial, sizeof serial) != 1) return false;
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1 &&
           X509_sign(certificate, load->ca_key, EVP_sha256()) > 0 && SSL_use_certificate(ssl, certificate) == 1;
}

static bool fetch(const struct load *load)
{
    AUTO_FD fd = connect_to(load);
    if (fd < 0) {
        perror("load: connect");
        return false;
    }
    AUTO(ssl_free) SSL *ssl = SSL_new(load->tls);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, "localhost") != 1) return false;
    if (load->ca_key != NULL && !become_another(ssl, load)) return false;
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, load->request, load->request_len) != load->request_len ||
        !read_response(ssl)) {
        ERR_print_errors_fp(stderr);
        return false;
    }
    return SSL_session_reused(ssl) == 0;
}

static bool read_key(EVP_PKEY **out, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    *out = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return *out != NULL;
}

static bool load_prepare(struct load *load, int argc, char **argv)
{
    *load = (struct load){.address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    load->address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    int len = snprintf(load->request, sizeof load->request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", argv[2]);
    if (len < 0 || (size_t)len >= sizeof load->request) return false;
    load->request_len = len;

    if (argc > 8 && !read_key(&load->ca_key, argv[8])) return false;
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    if (tls == NULL) return false;
    load->tls = tls;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
           SSL_CTX_load_verify_locations(tls, argv[3], NULL) == 1 &&
           SSL_CTX_use_certificate_chain_file(tls, argv[4]) == 1 &&
           SSL_CTX_use_PrivateKey_file(tls, argv[5], SSL_FILETYPE_PEM) == 1;
}

static int run_share(const struct load *load, unsigned long connections)
{
    for (unsigned long i = 0; i < connections; i++) {
        if (!fetch(load)) return 1;
    }
    return 0;
}

/* Starts a process for each share and returns how many of them failed. */
static unsigned long run_all(const struct load *load, unsigned long connections, unsigned long parallel)
{
    unsigned long failed = 0;
    for (unsigned long i = 0; i < parallel; i++) {
        unsigned long share = connections / parallel + (i < connections % parallel ? 1 : 0);
        pid_t pid = fork();
        if (pid < 0) failed++;
        if (pid == 0) _exit(run_share(load, share));
    }
    int status;
    while (wait(&status) > 0) {
        if (status != 0) failed++;
    }
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 8 && argc != 9) {
        fprintf(stderr, "usage: load PORT TARGET CA CERTIFICATE KEY CONNECTIONS PARALLEL [CA_KEY]\n");
        return 100;
    }
    unsigned long connections = strtoul(argv[6], NULL, 10), parallel = strtoul(argv[7], NULL, 10);
    if (connections < 1 || connections > MAX_CONNECTIONS || parallel < 1 || parallel > MAX_PARALLEL) {
        fprintf(stderr, "load: CONNECTIONS is 1 to %d, PARALLEL 1 to %d\n", MAX_CONNECTIONS, MAX_PARALLEL);
        return 100;
    }
    struct load load;
    if (!load_prepare(&load, argc, argv)) {
        ERR_print_errors_fp(stderr);
        return 100;
    }
    unsigned long failed = run_all(&load, connections, parallel);
    if (failed > 0) fprintf(stderr, "load: %lu of %lu clients failed\n", failed, parallel);
    SSL_CTX_free(load.tls);
    EVP_PKEY_free(load.ca_key);
    return failed > 0 ? 111 : 0;
}
