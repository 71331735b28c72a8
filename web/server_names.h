/* Which server certificate a host name chooses: its own name first, then a wildcard of one label (RFC 9525, 6.3).
 *
 * A certificate is named by its place, 0 for the default one; a set of places has the bit 1 << place of each. */
#ifndef KEYWARD_WEB_SERVER_NAMES_H
#define KEYWARD_WEB_SERVER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

#define SERVER_NAMES_PLACES (1u + LIMIT_SERVER_CERTIFICATES)

struct server_names;

/* server_names_new makes an empty one. NULL: no memory. */
struct server_names *server_names_new(void);
void server_names_free(struct server_names *names);

/* server_names_add adds a name of the certificate's: a DNS name, perhaps with a wildcard as its first label, or an address as
 * inet_ntop writes it. What is no such name matches nothing and is left out. ERR_TOO_LARGE: it has LIMIT_SERVER_NAMES. ERR_MEMORY. */
MUST_CHECK enum err server_names_add(struct server_names *names, unsigned place, const char *name);

/* server_names_sort has to be called once, after the last name was added. */
void server_names_sort(struct server_names *names);

/* Which certificates have a name. */
struct server_places {
    uint32_t exact;
    uint32_t wildcard;
};

/* server_names_find looks up a host name, or an address. */
struct server_places server_names_find(const struct server_names *names, const char *name);

/* server_names_misdirected says whether a request for this authority (RFC 9110, 7.2: HOST[:PORT]) should have come over a
 * connection with another certificate than the one at place: one that has the host's name, or the default one if none has. */
bool server_names_misdirected(const struct server_names *names, unsigned place, const char *authority);

#endif
