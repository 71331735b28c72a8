/* What a new process is between fork and exec. */
#ifndef KEYWARD_BROKER_CHILD_H
#define KEYWARD_BROKER_CHILD_H

#include <sys/types.h>

#include "broker/user.h"

/* Where the channel to the broker is in every process that the spawner starts. */
#define CHILD_CHANNEL_FD 3

struct child_plan {
    const char *name;        /* argv[0], all there is of it */
    int program;             /* O_PATH */
    int channel;             /* becomes descriptor 3 */
    int null;                /* /dev/null, becomes descriptor 0 */
    const struct user *user; /* whom it becomes */
    pid_t parent;            /* dies with it */
};

/* child_become turns the calling process, just forked, into the program: own session, own user, signals as a new process
 * has them, descriptors 0 to 3, an empty environment. Does not return; where it fails a log line says so and the exit
 * code is 111. */
_Noreturn void child_become(const struct child_plan *plan);

#endif
