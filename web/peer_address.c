#include "web/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void format_in6(char *out, size_t out_len, const struct sockaddr_in6 *in6)
{
    char text[INET6_ADDRSTRLEN];
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof text);
        snprintf(out, out_len, "%s:%u", text, ntohs(in6->sin6_port));
    } else {
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        snprintf(out, out_len, "[%s]:%u", text, ntohs(in6->sin6_port));
    }
}

void peer_address_format(char *out, size_t out_len, const struct sockaddr_storage *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    char text[INET_ADDRSTRLEN];
    switch (address->ss_family) {
    case AF_INET:
        memcpy(&in, address, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        snprintf(out, out_len, "%s:%u", text, ntohs(in.sin_port));
        return;
    case AF_INET6:
        memcpy(&in6, address, sizeof in6);
        format_in6(out, out_len, &in6);
        return;
    default: snprintf(out, out_len, "?"); return;
    }
}
