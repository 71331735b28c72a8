/* A client that makes TLS 1.3 handshakes with a client certificate and one GET on each; no connection is used twice.
 *
 * load PORT TARGET CA CERTIFICATE KEY CONNECTIONS PARALLEL CLIENTS: PARALLEL processes share CONNECTIONS among them. CLIENTS:
 *   same      one client, a full handshake each time
 *   resumed   the same, and all connections but one first resume its session
 *   FILE      the key of the CA that signed CERTIFICATE: every connection is made by a client with a certificate of its own,
 *             made here, in a full handshake */
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
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "tests/bench/tls_client.h"

enum { MAX_CONNECTIONS = 1000000, MAX_PARALLEL = 64 };

struct load {
    SSL_CTX *tls;
    EVP_PKEY *ca_key; /* NULL: one client for all connections */
    bool resumes;
    SSL_SESSION *session; /* to be resumed, once there is one */
    struct sockaddr_in address;
    char request[512];
    int request_len;
};

static void x509_free(X509 **certificate)
{
    X509_free(*certificate);
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
    const bool resumes = load->session != NULL;
    AUTO(tls_client_close) struct tls_client_conn conn = {.ssl = NULL};
    if (!tls_client_connect(&conn, load->tls, &load->address)) return false;
    SSL *ssl = conn.ssl;
    if (load->ca_key != NULL && !become_another(ssl, load)) return false;
    if (resumes && SSL_set_session(ssl, load->session) != 1) return false;
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, load->request, load->request_len) != load->request_len ||
        !read_response(ssl)) {
        ERR_print_errors_fp(stderr);
        return false;
    }
    if ((SSL_session_reused(ssl) == 1) == resumes) return true;
    fprintf(stderr, "load: a session was %s\n", resumes ? "not resumed" : "resumed");
    return false;
}

/* A ticket has come. The first is good for all connections. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct load *load = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (load->session != NULL) return 0;
    load->session = session;
    return 1;
}

/* Makes the connection whose session all others resume. */
static bool begin_session(struct load *load)
{
    SSL_CTX_set_app_data(load->tls, load);
    SSL_CTX_set_session_cache_mode(load->tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(load->tls, keep_session);
    if (!fetch(load)) return false;
    if (load->session == NULL) fprintf(stderr, "load: the server sent no ticket\n");
    return load->session != NULL;
}

static bool read_key(EVP_PKEY **out, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    *out = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return *out != NULL;
}

static bool load_prepare(struct load *load, char **argv)
{
    *load = (struct load){.address = tls_client_address(argv[1])};
    int len = snprintf(load->request, sizeof load->request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", argv[2]);
    if (len < 0 || (size_t)len >= sizeof load->request) return false;
    load->request_len = len;

    load->resumes = strcmp(argv[8], "resumed") == 0;
    if (!load->resumes && strcmp(argv[8], "same") != 0 && !read_key(&load->ca_key, argv[8])) return false;
    load->tls = tls_client_new(argv[3], argv[4], argv[5]);
    return load->tls != NULL;
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
    if (argc != 9) {
        fprintf(stderr, "usage: load PORT TARGET CA CERTIFICATE KEY CONNECTIONS PARALLEL same|resumed|CA_KEY\n");
        return 100;
    }
    unsigned long connections = strtoul(argv[6], NULL, 10), parallel = strtoul(argv[7], NULL, 10);
    if (connections < 1 || connections > MAX_CONNECTIONS || parallel < 1 || parallel > MAX_PARALLEL) {
        fprintf(stderr, "load: CONNECTIONS is 1 to %d, PARALLEL 1 to %d\n", MAX_CONNECTIONS, MAX_PARALLEL);
        return 100;
    }
    struct load load;
    if (!load_prepare(&load, argv)) {
        fprintf(stderr, "load: the files are no good\n");
        return 100;
    }
    if (load.resumes && !begin_session(&load)) return 111;
    unsigned long failed = run_all(&load, connections, parallel);
    if (failed > 0) fprintf(stderr, "load: %lu of %lu clients failed\n", failed, parallel);
    SSL_SESSION_free(load.session);
    SSL_CTX_free(load.tls);
    EVP_PKEY_free(load.ca_key);
    return failed > 0 ? 111 : 0;
}
