/* The audit log as it is written: records become lines, each has the hash of the one before, and lines go to the file as
 * it takes them. Nothing here waits; a line that the file does not take now is kept, and so are those after it. */
#ifndef KEYWARD_BROKER_AUDIT_LOG_H
#define KEYWARD_BROKER_AUDIT_LOG_H

#include "broker/audit_record.h"

struct audit_log {
    int fd;
    uint64_t records;         /* the last one's number */
    uint8_t hash[AUDIT_HASH]; /* of its line */
    uint64_t last_ms;         /* its time */
    uint64_t written_records; /* the same of the last moment when all was in the file */
    uint8_t written_hash[AUDIT_HASH];
    uint64_t lost;     /* since the last AUDIT_GAP */
    uint64_t lost_all; /* since the beginning */
    int error;         /* errno of the last write; 0: it went well */
    size_t pending_at; /* what is before is in the file: a part of the first line, perhaps */
    size_t pending_len;
    char pending[LIMIT_AUDIT_PENDING];
};

/* audit_log_init begins, or goes on where a file ends: with its last record's number, and the hash of that line. fd stays the
 * caller's. */
void audit_log_init(struct audit_log *log, int fd, uint64_t records, const uint8_t hash[AUDIT_HASH]);

/* audit_log_add gives the record its number, its time (never before the last one's) and its link, and keeps its line to be written. Where
 * there is no room it counts the record as lost, and an AUDIT_GAP before the next one says how many. Refusals, which a
 * peer can cause at will, have half of the room, and one that was lost has all that follow it lost until the file has
 * taken what is kept. */
void audit_log_add(struct audit_log *log, struct audit_record *record, uint64_t now_ms);

/* audit_log_write writes what is kept, as far as the file takes it. ERR_SYSTEM: not all; log->error says why. */
MUST_CHECK enum err audit_log_write(struct audit_log *log, uint64_t now_ms);

/* audit_line_hash is the hash by which the next record knows this line, without its newline. */
void audit_line_hash(uint8_t out[AUDIT_HASH], const char *line, size_t len);

#endif
