/* Fills a server with connections that wait, and looks what that does to new ones.
 *
 * idle PORT OTHER_PORT TARGET CA CERTIFICATE KEY CONNECTIONS SAMPLES: opens CONNECTIONS to PORT, fetches TARGET on each and
 * keeps it, and writes "open" when all are there. At the next line on standard input it measures SAMPLES new connections to each
 * of both servers, which take turns: from connect to the answer, the certificate shown, "NAME P50 P99 MIN" in microseconds. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "tests/bench/rig.h"
#include "tests/bench/tls_client.h"

enum { MAX_CONNECTIONS = 100000, BESIDES = 64 };

struct idle {
    SSL_CTX *tls;
    char request[512];
    int request_len;
};

static void fetch(struct tls_client_conn *out, const struct idle *idle, const struct sockaddr_in *address)
{
    static const char expected[] = "HTTP/1.1 200 ";
    char answer[4096];
    if (!tls_client_connect(out, idle->tls, address)) rig_fail("a connection");
    if (SSL_connect(out->ssl) == 1 && SSL_write(out->ssl, idle->request, idle->request_len) == idle->request_len &&
        SSL_read(out->ssl, answer, sizeof answer) >= (int)sizeof expected &&
        memcmp(answer, expected, sizeof expected - 1) == 0)
        return;
    ERR_print_errors_fp(stderr);
    rig_fail("a connection's request");
}

static void sample(struct samples *out, const struct idle *idle, const struct sockaddr_in *address)
{
    AUTO(tls_client_close) struct tls_client_conn conn = {.ssl = NULL};
    const uint64_t begun = samples_now();
    fetch(&conn, idle, address);
    samples_add(out, samples_now() - begun);
}

static void raise_limit(unsigned long connections)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) rig_fail("RLIMIT_NOFILE");
    if (files.rlim_cur >= connections + BESIDES) return;
    files.rlim_cur = connections + BESIDES;
    if (files.rlim_cur > files.rlim_max) files.rlim_max = files.rlim_cur; /* root's right */
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) rig_fail("RLIMIT_NOFILE; have it raised, or run as root");
}

int main(int argc, char **argv)
{
    const unsigned long connections = argc == 9 ? strtoul(argv[7], NULL, 10) : 0;
    if (connections < 1 || connections > MAX_CONNECTIONS) {
        fprintf(stderr, "usage: idle PORT OTHER_PORT TARGET CA CERTIFICATE KEY CONNECTIONS SAMPLES\n");
        return 100;
    }
    const struct sockaddr_in full = tls_client_address(argv[1]), empty = tls_client_address(argv[2]);
    struct idle idle = {.tls = tls_client_new(argv[4], argv[5], argv[6])};
    idle.request_len =
        snprintf(idle.request, sizeof idle.request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[3]);
    AUTO_FREE struct tls_client_conn *conns = calloc(connections, sizeof *conns);
    if (idle.tls == NULL || conns == NULL) return 111;
    raise_limit(connections);
    for (unsigned long i = 0; i < connections; i++) fetch(&conns[i], &idle, &full);
    puts("open");
    fflush(stdout);
    if (getchar() == EOF) return 111;
    struct samples with = {.num = 0}, without = {.num = 0};
    for (unsigned long i = strtoul(argv[8], NULL, 10); i > 0; i--) {
        sample(&with, &idle, &full);
        sample(&without, &idle, &empty);
    }
    samples_print(&with, "with");
    samples_print(&without, "without");
    fflush(stdout);
    for (unsigned long i = 0; i < connections; i++) tls_client_close(&conns[i]);
    SSL_CTX_free(idle.tls);
    return 0;
}
