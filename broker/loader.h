/* The loader: a process that the spawner splits off for one reload. It has the rights that the broker had at its start, runs what the
 * broker ran then, on the same command line, and hands over what it has opened: the configuration's file and all that it names. The
 * broker reads those for itself and believes nothing else. A reload's asker chooses neither a path nor a flag. It reads in a sandbox of
 * its own (broker/sandbox_policy.c): what the configuration's parser or a file may do to it stays without a right to write. */
#ifndef KEYWARD_BROKER_LOADER_H
#define KEYWARD_BROKER_LOADER_H

#include "broker/user.h"

/* What the broker was started with. The arguments stay as they are as long as it runs. */
struct loader_plan {
    int argc;
    char **argv;
    const struct user *web; /* whom the directories are for */
};

/* loader_run reads and ends; channel is closed with it. The child of a fork calls it. */
_Noreturn void loader_run(int channel, const struct loader_plan *plan);

#endif
