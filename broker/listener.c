#include "broker/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"

/* Linux 5.14; Debian 12's libc knows it, older ones do not. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static enum err bind_error(const struct address *address, const char *what, struct diag *diag)
{
    char text[ADDRESS_TEXT];
    int error = errno;
    address_format(text, address);
    if (error == EADDRINUSE) {
        return diag_set(diag, ERR_INPUT,
                        "%s %s: address already in use; find the process with: ss -ltnp 'sport = :%u', or choose "
                        "another with --%s",
                        what, text, (unsigned)address_port(address), what);
    }
    if (error == EADDRNOTAVAIL) {
        return diag_set(diag, ERR_INPUT, "%s %s: this machine does not have that address; see them with: ip address",
                        what, text);
    }
    if (error == EACCES) {
        return diag_set(diag, ERR_INPUT, "%s %s: ports below 1024 are for root; choose another with --%s", what, text,
                        what);
    }
    if (error == EAFNOSUPPORT) {
        return diag_set(diag, ERR_INPUT, "%s %s: this machine has no IPv6; choose another with --%s", what, text, what);
    }
    return diag_set(diag, ERR_SYSTEM, "%s %s: %s", what, text, strerror(error));
}

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

enum err listener_bind(int *out_fd, struct address *address, const char *what, struct diag *diag)
{
    int family = address->socket.ss_family;
    AUTO_FD fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0) return bind_error(address, what, diag);
    /* [::] stands for every address, an address of IPv6 for itself. */
    if (family == AF_INET6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address_is_any(address)) != 0) {
        return bind_error(address, what, diag);
    }
    if (bind(fd, (const struct sockaddr *)&address->socket, address->len) != 0) return bind_error(address, what, diag);
    if (listen(fd, SOMAXCONN) != 0) return bind_error(address, what, diag);
    address->len = sizeof address->socket;
    if (getsockname(fd, (struct sockaddr *)&address->socket, &address->len) != 0) {
        return bind_error(address, what, diag);
    }
    *out_fd = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err get_option(int *out, int fd, int option)
{
    socklen_t len = sizeof *out;
    return getsockopt(fd, SOL_SOCKET, option, out, &len) == 0 && len == sizeof *out ? ERR_OK : ERR_SYSTEM;
}

enum err listener_cookie(uint64_t *out, int fd)
{
    socklen_t len = sizeof *out;
    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, out, &len) == 0 && len == sizeof *out ? ERR_OK : ERR_SYSTEM;
}

enum err listener_check(int fd, uint16_t port, uint64_t host_cookie, struct diag *diag)
{
    int domain, type, protocol, listening;
    uint64_t cookie;
    if (get_option(&domain, fd, SO_DOMAIN) != ERR_OK) return diag_set(diag, ERR_DENIED, "it is no socket");
    if (domain != AF_INET) return diag_set(diag, ERR_DENIED, "it is no IPv4 socket");
    if (get_option(&type, fd, SO_TYPE) != ERR_OK || type != SOCK_STREAM ||
        get_option(&protocol, fd, SO_PROTOCOL) != ERR_OK || protocol != IPPROTO_TCP) {
        return diag_set(diag, ERR_DENIED, "it is no TCP socket");
    }
    if (get_option(&listening, fd, SO_ACCEPTCONN) != ERR_OK || listening != 1) {
        return diag_set(diag, ERR_DENIED, "it does not listen");
    }
    struct sockaddr_in name = {0};
    socklen_t len = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0 || name.sin_addr.s_addr != htonl(INADDR_LOOPBACK) ||
        name.sin_port != htons(port)) {
        return diag_set(diag, ERR_DENIED, "it does not listen on 127.0.0.1:%u", (unsigned)port);
    }
    if (listener_cookie(&cookie, fd) != ERR_OK) {
        return diag_set(diag, ERR_DENIED, "its network namespace cannot be told; run Linux 5.14 or newer");
    }
    if (cookie == host_cookie) return diag_set(diag, ERR_DENIED, "it listens in the host's network namespace");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return diag_set(diag, ERR_DENIED, "it cannot be made non-blocking");
    return ERR_OK;
}
