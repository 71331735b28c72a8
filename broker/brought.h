/* Certificates and private keys that an operator brings in place of what keyd makes: for the server, for the client, or
 * for both.
 *
 * The broker reads the certificates' armour and passes them on. It opens a key's file, looks at who else may read it, and
 * keeps the descriptor for the keyd that comes after this one; it never reads from it. */
#ifndef KEYWARD_BROKER_BROUGHT_H
#define KEYWARD_BROKER_BROUGHT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "broker/opener.h"

/* Zero state: nothing is brought. */
struct brought {
    struct bytes chain[LIMIT_CHAIN]; /* DER, leaf first; in der */
    size_t num;                      /* 0: nothing is brought, and there is no key */
    int key;
    uint8_t der[LIMIT_CHAIN_BYTES];
};

/* brought_open opens the pair of a role, "server" or "client"; both paths empty: nothing is brought. ERR_INPUT with a
 * diagnostic that names the flag and the file: one without the other, not to be opened, not PEM, too long, a private key
 * among the certificates, or a key's file that is not regular, not the operator's, or that others may read. */
MUST_CHECK enum err brought_open(struct brought *out, struct opener *opener, const char *role, const char *certificate,
                                 const char *key, struct diag *diag);

/* brought_open_server does the same for the section [certificate "name"], both of whose paths are given. */
MUST_CHECK enum err brought_open_server(struct brought *out, struct opener *opener, const char *name,
                                        const char *certificate, const char *key, struct diag *diag);
void brought_close(struct brought *brought);

/* brought_keep_key puts a descriptor of current's key in the place of its own: for the same chain it is the same key, and current's is
 * the one that keyd has had. ERR_SYSTEM. */
MUST_CHECK enum err brought_keep_key(struct brought *brought, const struct brought *current);

/* What peers of the role's certificate have to trust: its chain's last certificate; and who signed it, which is the second
 * one, or itself. made is returned if nothing is brought. */
struct bytes brought_anchor(const struct brought *brought, struct bytes made);
struct bytes brought_issuer(const struct brought *brought, struct bytes made);

#endif
