/* The broker's seat: the runtime directory is locked by at most one broker, and has its control socket. */
#ifndef KEYWARD_BROKER_RUNTIME_DIR_H
#define KEYWARD_BROKER_RUNTIME_DIR_H

#include "base/err.h"
#include "broker/user.h"

struct runtime_dir {
    int dir;     /* holds the lock, which ends with the process */
    int control; /* listening */
};

/* runtime_dir_take makes and locks the directory at path, replaces a socket that a killed broker left, and gives both
 * to owner, who can then remove the socket. ERR_INPUT: another broker sits there; the diagnostic has its pid. */
MUST_CHECK enum err runtime_dir_take(struct runtime_dir *out, const char *path, const struct user *owner,
                                     struct diag *diag);

/* runtime_dir_leave removes the socket. */
void runtime_dir_leave(struct runtime_dir *runtime_dir);

#endif
