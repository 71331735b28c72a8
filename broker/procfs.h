/* What /proc shows of a process to somebody who may not debug it. Nothing is said here that was not seen. */
#ifndef KEYWARD_BROKER_PROCFS_H
#define KEYWARD_BROKER_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PROCFS_NAMESPACES 7

/* How to look: /proc itself, and what is known of the looker, to compare with. */
struct procfs {
    int dir;
    uint64_t own_namespaces[PROCFS_NAMESPACES];
    uint64_t socket_inode; /* of an AF_UNIX socket that is bound in the looker's network namespace; 0: none */
};

struct procfs_process {
    uint32_t parent;
    uint32_t uid;
    uint32_t seccomp_mode;
    bool no_new_privs;
    uint64_t resident_bytes;
    char namespaces[64]; /* those seen to be others than the looker's: "user,mnt,net,pid,ipc,uts,cgroup" */
};

/* procfs_open opens /proc and looks at the caller itself. socket: an AF_UNIX socket, or -1. */
MUST_CHECK enum err procfs_open(struct procfs *out, int socket, struct diag *diag);

/* procfs_read looks at a process. A namespace is compared by its link in /proc/PID/ns where the kernel shows it; of a
 * process that hides its memory it does not. Then a user namespace is told by its uid map, a mount namespace by the id
 * of its root mount, a PID namespace by a second pid, and a network namespace by the looker's socket missing in its
 * list; of the others nothing is said. ERR_NOT_FOUND: there is no such process. */
MUST_CHECK enum err procfs_read(struct procfs_process *out, const struct procfs *procfs, pid_t pid);

#endif
