/* What the spawner's test and its fake program say to each other: one struct, because both are built together. */
#ifndef KEYWARD_TESTS_UNIT_BROKER_FAKE_H
#define KEYWARD_TESTS_UNIT_BROKER_FAKE_H

#include <sys/types.h>

struct fake_report {
    int argc;
    char name[32];
    char directory[64];
    int environment; /* variables */
    int descriptors;
    int highest_fd;
    int stdin_is_null;
    int death_signal;
    int no_new_privs;
    int blocked;     /* signals */
    int not_default; /* signals */
    int groups;
    pid_t pid, sid;
    uid_t uid;
    gid_t gid;
    mode_t umask;
};

enum fake_order { FAKE_EXIT_7 = 'e', FAKE_CRASH = 'c', FAKE_SLEEP = 's' };

#endif
