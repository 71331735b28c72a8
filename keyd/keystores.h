/* The keystores of one keyd: the one in force, and while a configuration is read again those of setups before and after it, of which
 * workers are still served. A worker's channel keeps the keys that its certificates belong to. */
#ifndef KEYWARD_KEYD_KEYSTORES_H
#define KEYWARD_KEYD_KEYSTORES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "keyd/keystore.h"

struct keystores_row {
    uint64_t setup;            /* the id of the KEYD_SETUP that it was made by */
    struct keystore *keystore; /* NULL: free */
    size_t num_channels;
};

/* Zero state: none. */
struct keystores {
    struct keystores_row rows[LIMIT_KEYD_SETUPS];
    uint64_t settled; /* the setup in force */
    uint64_t newest;
};

/* keystores_add takes the keystore; the first is in force. ERR_TOO_LARGE: LIMIT_KEYD_SETUPS are there, and it is the caller's. */
MUST_CHECK enum err keystores_add(struct keystores *keystores, uint64_t setup, struct keystore *keystore);

/* keystores_settle says which is in force from now on; the others go with their last channels. Nothing happens if there is none. */
void keystores_settle(struct keystores *keystores, uint64_t setup);

/* keystores_in_force returns what clients are told of, and what signs for them. NULL before the first. */
struct keystore *keystores_in_force(const struct keystores *keystores);

/* keystores_newest returns that of the last setup, in force or not, NULL before the first. */
struct keystore *keystores_newest(const struct keystores *keystores);

/* keystores_enter returns the row for one more channel, 0: of the one in force; NULL: there is none. keystores_leave gives it back. */
struct keystores_row *keystores_enter(struct keystores *keystores, uint64_t setup);
void keystores_leave(struct keystores *keystores, struct keystores_row *row);

void keystores_free(struct keystores *keystores);

#endif
