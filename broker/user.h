/* The users that the processes run as when Keyward is started as root. */
#ifndef KEYWARD_BROKER_USER_H
#define KEYWARD_BROKER_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "broker/topology.h"

struct user {
    const char *name;
    uid_t uid;
    gid_t gid;
    bool change; /* false: started by an ordinary user; everything runs as that one */
};

/* user_of tells who the row's process runs as: the system's user of that name, or else the row's fixed number. */
void user_of(struct user *out, const struct topology *row);

/* user_become changes to the user for good: no other groups, real, effective and saved ids. Nothing to do if
 * change is false. ERR_SYSTEM with errno. */
MUST_CHECK enum err user_become(const struct user *user);

/* user_may_access asks the kernel, as that user, whether it may use the directory: R_OK, W_OK and X_OK, or'ed.
 * ERR_DENIED: it may not. ERR_SYSTEM: the question could not be put. The process has one thread. The kernel forgets what
 * PR_SET_PDEATHSIG said. */
MUST_CHECK enum err user_may_access(const struct user *user, int dir, int mode);

#endif
