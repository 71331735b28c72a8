/* The spawner: a process of the broker's own program, split off before the broker gives its rights up. It alone may
 * fork, execute and change user, and it does so only for the programs whose files it holds, each as its own user, each
 * with one descriptor: its channel. For a reload it splits off a loader (broker/loader.h). It parses nothing but SPAWN, KILL and LOAD. When its channel ends it kills all it
 * started and ends; when it dies the kernel kills them. */
#ifndef KEYWARD_BROKER_SPAWNER_H
#define KEYWARD_BROKER_SPAWNER_H

#include <sys/types.h>

#include "base/err.h"
#include "broker/loader.h"
#include "broker/programs.h"
#include "broker/user.h"
#include "proto/link.h"

struct spawner {
    struct link link; /* the broker's end */
    int pidfd;
    pid_t pid;
    int leash; /* when it is closed the kernel kills the spawner */
};

/* What it starts, and as whom. */
struct spawner_plan {
    const struct programs *programs;
    const struct user *users; /* of each program */
    struct loader_plan loader;
};

/* spawner_start forks the spawner and waits until its sandbox is on. */
MUST_CHECK enum err spawner_start(struct spawner *out, const struct spawner_plan *plan, struct diag *diag);

/* spawner_pull kills the spawner, even if it is stopped or the caller may not send it a signal, and what it started with it. */
void spawner_pull(struct spawner *spawner);

/* spawner_run is the spawner itself, from its sandbox to its end; returns the exit code. On success READY has been said
 * on the channel. */
int spawner_run(int channel, const struct spawner_plan *plan);

#endif
