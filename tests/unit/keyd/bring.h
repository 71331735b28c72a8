/* What an operator brings, from the files of //tests/keys. */
#ifndef KEYWARD_TESTS_UNIT_KEYD_BRING_H
#define KEYWARD_TESTS_UNIT_KEYD_BRING_H

#include "proto/message.h"

struct bring {
    struct bytes chain[LIMIT_CHAIN + 1]; /* one more than is allowed */
    size_t num;
    int key;
};

/* bring_open reads the chain and opens the key; both live until the test's process ends. NULL: none. */
struct bring bring_open(const char *chain, const char *key);

/* A kind of key that can be brought, and what it does. */
struct bring_kind {
    const char *name;
    uint16_t schemes[3];
    size_t num_schemes;
    size_t max_signature;
};

extern const struct bring_kind bring_kinds[];
extern const size_t bring_num_kinds;

/* bring_setup is a usual setup in which each of the two may be NULL. */
struct keyd_setup bring_setup(const struct bring *server, const struct bring *client);

/* bring_of brings a kind for a role, "server" or "client". */
struct bring bring_of(const struct bring_kind *kind, const char *role);

#endif
