#include "broker/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "broker/audit_log.h"

#define MODE 0600

static enum err refuse(const char *path, const char *why, struct diag *diag)
{
    return diag_set(diag, ERR_INPUT, "audit log '%s': %s", path, why);
}

static enum err explain_open(const char *path, struct diag *diag)
{
    if (errno == ELOOP) return refuse(path, "it is a link; give the file itself", diag);
    if (errno == ENXIO) return refuse(path, "nobody reads that pipe; start its reader first", diag);
    return diag_set(diag, ERR_INPUT, "audit log '%s': %s; its directory has to exist and be writable", path,
                    strerror(errno));
}

/* O_NONBLOCK is for a pipe: a slow reader is not waited for. */
static enum err open_writer(int *out, const char *path, const struct user *owner, enum audit_file_use use,
                            struct diag *diag)
{
    const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    AUTO_FD fd = open(path, flags);
    if (fd < 0 && errno == ENOENT && use == AUDIT_FILE_WRITE) {
        fd = open(path, flags | O_CREAT | O_EXCL, MODE);
        if (fd >= 0 && fchmod(fd, MODE) != 0) return explain_open(path, diag);
        if (fd >= 0 && owner->change && fchown(fd, owner->uid, owner->gid) != 0) {
            return diag_set(diag, ERR_SYSTEM, "audit log '%s': cannot give it to %s (uid %u): %s", path, owner->name,
                            (unsigned)owner->uid, strerror(errno));
        }
    }
    if (fd < 0) return explain_open(path, diag);
    *out = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err check_kind(const struct stat *st, const char *path, const struct user *owner, struct diag *diag)
{
    if (!S_ISREG(st->st_mode) && !S_ISFIFO(st->st_mode))
        return refuse(path, "neither a file nor a named pipe; give another with --audit", diag);
    if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != owner->uid)
        return refuse(path, "it belongs to somebody else; move it away or give another with --audit", diag);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return refuse(path, "others may write it; run chmod go-w on it, after a look with broker audit verify", diag);
    if (S_ISREG(st->st_mode) && st->st_nlink != 1)
        return refuse(path, "it has more than one name; remove the others", diag);
    return ERR_OK;
}

/* ---- What is there already -------------------------------------------------------------------------------------- */

/* The end of the file. */
struct tail {
    char data[LIMIT_AUDIT_TAIL];
    size_t len;
    bool whole; /* it is all of the file */
};

static enum err read_tail(struct tail *out, const char *path, const struct stat *st, struct diag *diag)
{
    struct stat again;
    AUTO_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &again) != 0) return explain_open(path, diag);
    if (again.st_dev != st->st_dev || again.st_ino != st->st_ino)
        return refuse(path, "it is being replaced; start again", diag);
    off_t from = st->st_size > (off_t)sizeof out->data ? st->st_size - (off_t)sizeof out->data : 0;
    out->whole = from == 0;
    for (out->len = 0; out->len < sizeof out->data;) {
        ssize_t got = pread(fd, out->data + out->len, sizeof out->data - out->len, from + (off_t)out->len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return explain_open(path, diag);
        if (got == 0) break;
        out->len += (size_t)got;
    }
    return ERR_OK;
}

static enum err refuse_record(const char *path, uint64_t number, const char *what, struct diag *diag)
{
    return diag_set(
        diag, ERR_INPUT,
        "audit log '%s': record %llu %s; broker audit verify says more; move the file away to start a new one", path,
        (unsigned long long)number, what);
}

/* Each record has to follow the one before; of a tail's first the predecessor is not known. */
static enum err check_line(struct audit_file *file, bool first_known, const char *path, const char *line, size_t len,
                           struct diag *diag)
{
    struct audit_record record;
    uint64_t expected = file->records + 1;
    if (!audit_record_parse(&record, line, len)) {
        if (first_known) return refuse_record(path, expected, "is damaged", diag);
        return refuse(path, "its end is no log; move it away to start a new one", diag);
    }
    bool follows = record.number == expected && memcmp(record.prev, file->hash, AUDIT_HASH) == 0;
    if (first_known && !follows)
        return refuse_record(path, expected, "does not follow from the one before; either was changed", diag);
    file->records = record.number;
    audit_line_hash(file->hash, line, len);
    return ERR_OK;
}

static enum err check_tail(struct audit_file *file, const struct tail *tail, const char *path, struct diag *diag)
{
    const char *at = tail->data, *end = tail->data + tail->len;
    bool known = tail->whole;
    if (!tail->whole) { /* it begins in the middle of a line */
        const char *newline = memchr(at, '\n', tail->len);
        if (!newline) return refuse(path, "its end is no log; move it away to start a new one", diag);
        at = newline + 1;
    }
    for (const char *newline; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        enum err err = check_line(file, known, path, at, (size_t)(newline - at), diag);
        if (err != ERR_OK) return err;
        known = true;
    }
    if (!known) return refuse(path, "its end is no log; move it away to start a new one", diag);
    file->torn = (uint64_t)(end - at);
    return ERR_OK;
}

static enum err take_up(struct audit_file *file, int fd, const char *path, const struct stat *st,
                        enum audit_file_use use, struct diag *diag)
{
    AUTO_FREE struct tail *tail = malloc(sizeof *tail);
    if (!tail) return diag_set(diag, ERR_MEMORY, "no memory");
    enum err err = read_tail(tail, path, st, diag);
    if (err == ERR_OK) err = check_tail(file, tail, path, diag);
    if (err != ERR_OK || file->torn == 0 || use == AUDIT_FILE_CHECK) return err;
    if (ftruncate(fd, st->st_size - (off_t)file->torn) == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "audit log '%s': its last line is not finished, and cannot be taken away: %s",
                    path, strerror(errno));
}

enum err audit_file_open(struct audit_file *out, const char *path, const struct user *owner, enum audit_file_use use,
                         struct diag *diag)
{
    struct stat st;
    AUTO_FD fd = -1;
    *out = (struct audit_file){.fd = -1};
    if (use == AUDIT_FILE_CHECK && access(path, F_OK) != 0 && errno == ENOENT) return ERR_OK;
    enum err err = open_writer(&fd, path, owner, use, diag);
    if (err != ERR_OK) return err;
    if (fstat(fd, &st) != 0) return explain_open(path, diag);
    err = check_kind(&st, path, owner, diag);
    if (err != ERR_OK) return err;
    if (S_ISREG(st.st_mode) && use == AUDIT_FILE_WRITE && flock(fd, LOCK_EX | LOCK_NB) != 0)
        return refuse(path, "another broker writes it; give another with --audit", diag);
    if (S_ISREG(st.st_mode) && st.st_size > 0) err = take_up(out, fd, path, &st, use, diag);
    if (err == ERR_OK && use == AUDIT_FILE_WRITE) out->fd = auto_keep_fd(&fd);
    return err;
}
