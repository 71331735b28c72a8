/* A connection with a handle of its own that stays open, for a test to say and hear on it what it likes: standard input goes
 * out, what comes in goes to standard output. Standard error says "handle N" first. Ends when the server does. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "browser-shim/client_connect.h"
#include "browser-shim/client_tls.h"

static int fail(const char *what, const struct diag *diag)
{
    fprintf(stderr, "held: %s: %s\n", what, diag->text);
    return 1;
}

static int relay(struct client_tls *tls, int fd)
{
    static uint8_t buf[16384];
    struct diag diag = {0};
    struct pollfd rows[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (;;) {
        size_t len = 0;
        enum err err = client_tls_read(tls, buf, &len, sizeof buf, CLIENT_TLS_NO_WAIT, &diag);
        if (err == ERR_OK && len > 0) {
            if (write(STDOUT_FILENO, buf, len) != (ssize_t)len) return 1;
            continue;
        }
        if (err != ERR_AGAIN) return 0; /* in order or not: it is over */
        if (poll(rows, 2, -1) < 0) return 1;
        if ((rows[0].revents & (POLLIN | POLLHUP)) == 0) continue;
        ssize_t got = read(STDIN_FILENO, buf, sizeof buf);
        if (got <= 0) rows[0].fd = -1;
        if (got > 0 && client_tls_write(tls, buf, (size_t)got, &diag) != ERR_OK) return 0;
    }
}

struct held {
    struct client_handle handle;
    struct client_tls *tls;
    int fd;
};

/* All of it, as a sanitizer's report of what is left would keep the test from seeing the end. */
static void held_cleanup(struct held *held)
{
    client_tls_free(held->tls);
    client_handle_cleanup(&held->handle);
    auto_close(&held->fd);
}

/* held RUNTIME_DIR ADDRESS http|lines keep|drop [HANDLE]: what becomes of the handle once it was used, and the one that it is
 * derived from. */
int main(int argc, char **argv)
{
    AUTO(held_cleanup) struct held held = {.handle = {.fd = -1}, .fd = -1};
    struct client_address address;
    struct diag diag = {0};
    if (argc != 5 && argc != 6) return 100;
    signal(SIGPIPE, SIG_IGN);
    if (client_address_parse(&address, argv[2], &diag) != ERR_OK) return fail("address", &diag);
    if (client_connect(&held.fd, &address, &diag) != ERR_OK) return fail("connect", &diag);
    const struct client_handle_wish wish = {
        .from = argc == 6 ? strtoull(argv[5], NULL, 10) : 0, .label = "held", .server = address.host};
    if (client_handle_ask(&held.handle, argv[1], &wish, &diag) != ERR_OK) return fail("handle", &diag);
    fprintf(stderr, "handle %llu\n", (unsigned long long)held.handle.id);
    const enum client_tls_service service = strcmp(argv[3], "lines") == 0 ? CLIENT_TLS_LINES : CLIENT_TLS_HTTP;
    const int lent = held.handle.fd; /* which is TLS's from here on */
    if (client_tls_new(&held.tls, held.fd, &held.handle, &address, service, &diag) != ERR_OK) return fail("TLS", &diag);
    if (client_tls_handshake(held.tls, &diag) != ERR_OK) return fail("handshake", &diag);
    /* TLS still closes a descriptor of that number when it ends. */
    if (strcmp(argv[4], "drop") == 0 && dup2(STDIN_FILENO, lent) < 0) return 1;
    return relay(held.tls, held.fd);
}
