#include "broker/upstream_lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

static void free_found(struct addrinfo **found)
{
    if (*found != NULL) freeaddrinfo(*found);
}

enum err upstream_lookup(struct upstream_addresses *out, const struct upstream_place *place, struct diag *diag)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[8];
    out->num = 0;
    AUTO(free_found) struct addrinfo *found = NULL;
    snprintf(port, sizeof port, "%u", (unsigned)place->port);
    const int failed = getaddrinfo(place->host, port, &hints, &found);
    if (failed != 0) {
        return diag_set(
            diag, ERR_INPUT,
            "[proxy \"%s\"] %s: '%s' cannot be looked up: %s; check the name and the network, or give an address "
            "that its certificate has",
            place->prefix, place->text, place->host, failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
    }
    for (const struct addrinfo *at = found; at && out->num < LIMIT_UPSTREAM_ADDRESSES; at = at->ai_next) {
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
        struct address *address = &out->list[out->num++];
        memcpy(&address->socket, at->ai_addr, at->ai_addrlen);
        address->len = at->ai_addrlen;
    }
    if (out->num > 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "[proxy \"%s\"] %s: '%s' has no address", place->prefix, place->text, place->host);
}
