/* What the broker and its spawner keep of root's rights. */
#ifndef KEYWARD_BROKER_PRIVILEGE_H
#define KEYWARD_BROKER_PRIVILEGE_H

#include "base/err.h"

/* privilege_keep_spawning leaves root nothing but CAP_SETUID, CAP_SETGID and CAP_KILL, in every set. Nothing to do for
 * an ordinary user. */
MUST_CHECK enum err privilege_keep_spawning(struct diag *diag);

#endif
