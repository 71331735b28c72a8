/* The keys that session tickets are sealed with: the broker makes and replaces them, all workers have the same. They are secret:
 * in locked memory that no core has, wiped when they are dropped, never logged. */
#ifndef KEYWARD_WEB_TICKETS_H
#define KEYWARD_WEB_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/* What sealing adds: the key's name, a nonce, AES-256-GCM's tag. */
#define TICKETS_OVERHEAD (16u + 12u + 16u)

struct tickets;

/* tickets_new makes one without keys. NULL: no memory that can be locked. */
struct tickets *tickets_new(void);
void tickets_free(struct tickets *tickets);

/* tickets_take reads the keys that there are from now on from a file of the broker's, from its start: the one to seal with,
 * and perhaps the one before it (LIMIT_TICKET_KEYS). The file stays the caller's. On an error there are none. */
MUST_CHECK enum err tickets_take(struct tickets *tickets, int fd);

/* tickets_drop wipes the keys: nothing that was sealed with them is opened any more. */
void tickets_drop(struct tickets *tickets);

/* tickets_ready says whether there are keys. */
bool tickets_ready(const struct tickets *tickets);

/* tickets_seal writes in.len + TICKETS_OVERHEAD bytes. Without keys it writes what nobody can open. ERR_CRYPTO. */
MUST_CHECK enum err tickets_seal(const struct tickets *tickets, uint8_t *out, struct bytes in);

/* tickets_open writes at most in.len bytes. ERR_DENIED: it was not sealed with any of these keys. */
MUST_CHECK enum err tickets_open(const struct tickets *tickets, uint8_t *out, size_t *out_len, struct bytes in);

#endif
