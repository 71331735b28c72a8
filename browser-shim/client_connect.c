#include "browser-shim/client_connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

enum { DEADLINE_CONNECT_MS = DEADLINE_HANDSHAKE_MS };

/* Returns 0 or an errno. */
static int connect_one(int *out_fd, const struct addrinfo *info)
{
    AUTO_FD fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno;
    /* A small last segment would otherwise wait for an acknowledgement. */
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return errno;
    if (connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) return errno;
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        int ready = poll(&wait, 1, DEADLINE_CONNECT_MS);
        if (ready < 0) return errno;
        if (ready == 0) return ETIMEDOUT;
        int error = 0;
        socklen_t len = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) return errno;
        if (error != 0) return error;
    }
    *out_fd = auto_keep_fd(&fd);
    return 0;
}

static enum err connect_failed(const struct client_address *address, int error, struct diag *diag)
{
    if (error == ECONNREFUSED) {
        return diag_set(diag, ERR_SYSTEM,
                        "%s port %s: connection refused: nothing listens there; is the broker running, and with this "
                        "address (see its line 'ready')?",
                        address->host, address->port);
    }
    if (error == ETIMEDOUT) {
        return diag_set(diag, ERR_TIMEOUT, "%s port %s: no answer within %d ms; check the address and the network",
                        address->host, address->port, DEADLINE_CONNECT_MS);
    }
    return diag_set(diag, ERR_SYSTEM, "%s port %s: cannot connect: %s", address->host, address->port, strerror(error));
}

static void free_addresses(struct addrinfo **list)
{
    if (*list != NULL) freeaddrinfo(*list);
}

enum err client_connect(int *out_fd, const struct client_address *address, struct diag *diag)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | (address->is_ip ? AI_NUMERICHOST : 0),
    };
    AUTO(free_addresses) struct addrinfo *list = NULL;
    int failed = getaddrinfo(address->host, address->port, &hints, &list);
    if (failed != 0) {
        return diag_set(diag, ERR_INPUT, "host '%s': %s; check the name", address->host,
                        failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
    }
    int error = ENOENT;
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
        int last = connect_one(out_fd, info);
        if (last == 0) return ERR_OK;
        /* Of several failures, that nobody listens on the last says less than that the first timed out. */
        if (info == list || last != ECONNREFUSED) error = last;
    }
    return connect_failed(address, error, diag);
}
