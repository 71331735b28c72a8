#include "broker/audit_log.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include <openssl/sha.h>

_Static_assert(AUDIT_HASH == SHA256_DIGEST_LENGTH, "the chain is of SHA-256");

#define ROOM_REFUSALS (LIMIT_AUDIT_PENDING / 2)

void audit_line_hash(uint8_t out[AUDIT_HASH], const char *line, size_t len)
{
    SHA256((const uint8_t *)line, len, out);
}

static void note_written(struct audit_log *log)
{
    log->written_records = log->records;
    memcpy(log->written_hash, log->hash, AUDIT_HASH);
}

void audit_log_init(struct audit_log *log, int fd, uint64_t records, const uint8_t hash[AUDIT_HASH])
{
    log->fd = fd;
    log->records = records;
    memcpy(log->hash, hash, AUDIT_HASH);
    log->last_ms = log->lost = log->lost_all = 0;
    log->error = 0;
    log->pending_at = log->pending_len = 0;
    note_written(log);
}

/* False: there is no room. */
static bool append(struct audit_log *log, struct audit_record *record, size_t room, uint64_t now_ms)
{
    char line[LIMIT_AUDIT_LINE + 1];
    record->number = log->records + 1;
    record->time_ms = now_ms > log->last_ms ? now_ms : log->last_ms;
    memcpy(record->prev, log->hash, AUDIT_HASH);
    size_t len = audit_record_format(line, record);
    if (log->pending_len + len + 1 > room) return false;
    line[len] = '\n';
    memcpy(log->pending + log->pending_len, line, len + 1);
    log->pending_len += len + 1;
    audit_line_hash(log->hash, line, len);
    log->records = record->number;
    log->last_ms = record->time_ms;
    return true;
}

/* Says how many were lost, where that is known by now. */
static void append_gap(struct audit_log *log, uint64_t now_ms)
{
    struct audit_record gap = {.what = AUDIT_GAP, .lost = log->lost};
    if (log->lost > 0 && append(log, &gap, LIMIT_AUDIT_PENDING, now_ms)) log->lost = 0;
}

void audit_log_add(struct audit_log *log, struct audit_record *record, uint64_t now_ms)
{
    bool refusal = record->what == AUDIT_REFUSED;
    if (!refusal) append_gap(log, now_ms);
    if (log->lost == 0 && append(log, record, refusal ? ROOM_REFUSALS : LIMIT_AUDIT_PENDING, now_ms)) return;
    log->lost++;
    log->lost_all++;
}

/* Moves what is left to the front once it is worth it: what is written at once mostly goes at once. */
static void drop_written(struct audit_log *log)
{
    if (log->pending_at < log->pending_len && log->pending_at < LIMIT_AUDIT_PENDING / 4) return;
    memmove(log->pending, log->pending + log->pending_at, log->pending_len - log->pending_at);
    log->pending_len -= log->pending_at;
    log->pending_at = 0;
}

static enum err write_pending(struct audit_log *log)
{
    while (log->pending_at < log->pending_len) {
        const struct iovec rest = {log->pending + log->pending_at, log->pending_len - log->pending_at};
        ssize_t wrote = writev(log->fd, &rest, 1);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            log->error = wrote < 0 ? errno : ENOSPC;
            drop_written(log);
            return ERR_SYSTEM;
        }
        log->pending_at += (size_t)wrote;
    }
    log->error = 0;
    drop_written(log);
    note_written(log);
    return ERR_OK;
}

enum err audit_log_write(struct audit_log *log, uint64_t now_ms)
{
    enum err err = write_pending(log);
    if (err != ERR_OK || log->lost == 0) return err;
    append_gap(log, now_ms);
    return write_pending(log);
}
