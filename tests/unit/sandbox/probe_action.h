/* The actions themselves: what each needs from before the sandbox, and the one system call that it tries inside. */
#ifndef KEYWARD_TESTS_UNIT_SANDBOX_PROBE_ACTION_H
#define KEYWARD_TESTS_UNIT_SANDBOX_PROBE_ACTION_H

#include <stdint.h>

#include "tests/unit/sandbox/probe.h"

/* What was there before the sandbox was put on. */
struct probe_scene {
    enum probe_action action;
    pid_t target; /* a child that sleeps */
    int target_pidfd;
    int socket;       /* TCP, not bound */
    uint16_t port;    /* somebody listens here, in network order */
    int program;      /* /bin/true, O_PATH */
    void *writable;   /* a page */
    uid_t uid;        /* its own */
    uint64_t *secret; /* in the target as well, at the same address */
};

/* probe_scene_open makes the scene. The process is expected to end soon, so nothing is given back. */
MUST_CHECK enum err probe_scene_open(struct probe_scene *out, enum probe_action action);

/* probe_scene_act tries the action: -errno or what the call returned. context is a struct probe_scene. */
long probe_scene_act(void *context);

#endif
