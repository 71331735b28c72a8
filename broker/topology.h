/* Who there is and who may talk to whom. */
#ifndef KEYWARD_BROKER_TOPOLOGY_H
#define KEYWARD_BROKER_TOPOLOGY_H

#include <sys/types.h>

#include "proto/message.h"
#include "proto/rules.h"

struct topology {
    enum program program; /* PROGRAM_NONE: not started by the spawner */
    const char *name;     /* in status and log lines */
    const char *file;     /* the program's file */
    const char *package;  /* its folder in a build tree; in an installation all files are in one */
    const char *user;     /* when started as root */
    uid_t id;             /* its uid and gid where the system does not know that user */
    enum link_role link;  /* its channel to the broker, on descriptor 3 */
    enum link_role sign;  /* the channel to keyd that the broker gives it; LINK_NUM_ROLES: none */
    enum purpose grant;   /* what that channel is for */
};

extern const struct topology topology[];
extern const size_t topology_len;

/* topology_of returns the row of a program. */
const struct topology *topology_of(enum program program);

/* topology_broker returns the broker's own row. */
const struct topology *topology_broker(void);

#endif
