/* The audit log's file: opened while the broker still may, and checked before it is continued. */
#ifndef KEYWARD_BROKER_AUDIT_FILE_H
#define KEYWARD_BROKER_AUDIT_FILE_H

#include "broker/audit_record.h"
#include "broker/user.h"

/* Its name in the runtime directory, where no other is given. */
#define AUDIT_FILE_NAME "audit.jsonl"

/* Where an existing file ends. */
struct audit_file {
    int fd;
    uint64_t records;         /* the last one's number; 0: there is none */
    uint8_t hash[AUDIT_HASH]; /* of its line; zeros if there is none */
    uint64_t torn;            /* bytes of an unfinished line that were taken away, as a crash leaves one */
};

enum audit_file_use { AUDIT_FILE_WRITE, AUDIT_FILE_CHECK };

/* audit_file_open opens or makes (mode 0600, for owner) the file at path: a regular one, or a named pipe that somebody reads,
 * reached by no link, that only owner, root or we could change, and that no other broker writes. The records in the last
 * LIMIT_AUDIT_TAIL bytes of an existing file have to be as they were written. For AUDIT_FILE_CHECK nothing is made or changed
 * and out->fd is -1. ERR_INPUT and ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err audit_file_open(struct audit_file *out, const char *path, const struct user *owner,
                                    enum audit_file_use use, struct diag *diag);

#endif
