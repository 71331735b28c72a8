#include "broker/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

/* O_NONBLOCK is for what turns out to be no file. The broker's filter knows these flags: broker/sandbox_policy.c. */
#define FLAGS (O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#define MODE 0640

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum err open_file(int *out, int dir, const char *path, int flags, struct diag *diag)
{
    struct stat st;
    AUTO_FD fd = openat(dir, name_in(path), flags, MODE);
    if (fd < 0 && errno == ELOOP)
        return diag_set(diag, ERR_INPUT, "access log '%s': it is a link; give the file itself", path);
    if (fd < 0 || fstat(fd, &st) != 0)
        return diag_set(
            diag, ERR_INPUT,
            "access log '%s': %s; its directory has to exist, and the broker's user has to be able to write there",
            path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return diag_set(diag, ERR_INPUT, "access log '%s': not a regular file; give another", path);
    /* At the start it is given to the broker's user, who can put another's file here under a name of its own. */
    if (st.st_nlink > 1)
        return diag_set(diag, ERR_INPUT, "access log '%s': it has more than one name; remove the others", path);
    *out = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err open_directory(int *out, const char *path, struct diag *diag)
{
    char dir[LIMIT_PATH + 1] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    *out = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*out >= 0) return ERR_OK;
    return diag_set(diag, ERR_INPUT, "access log '%s': its directory: %s; make it, or give another file", path,
                    strerror(errno));
}

/* So that the broker can open it again once it is nobody but that user. */
static enum err give_to(const struct user *owner, int fd, const char *path, struct diag *diag)
{
    if (!owner->change || fchown(fd, owner->uid, owner->gid) == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "access log '%s': cannot give it to %s (uid %u): %s", path, owner->name,
                    (unsigned)owner->uid, strerror(errno));
}

enum err access_log_open(struct access_log_file *out, const char *path, const struct user *owner, enum log_file_use use,
                         struct diag *diag)
{
    *out = (struct access_log_file){0};
    if (path[0] == '\0') return ERR_OK;
    AUTO_FD dir = -1;
    AUTO_FD fd = -1;
    enum err err = open_directory(&dir, path, diag);
    if (err != ERR_OK) return err;
    if (use == LOG_FILE_CHECK && faccessat(dir, name_in(path), F_OK, 0) != 0 && errno == ENOENT) return ERR_OK;
    err = open_file(&fd, dir, path, FLAGS | (use == LOG_FILE_WRITE ? O_CREAT : 0), diag);
    if (err != ERR_OK || use == LOG_FILE_CHECK) return err;
    err = give_to(owner, fd, path, diag);
    if (err != ERR_OK) return err;
    *out = (struct access_log_file){.path = path, .dir = auto_keep_fd(&dir), .fd = auto_keep_fd(&fd)};
    return ERR_OK;
}

void access_log_tell(struct broker *broker, struct process *web, uint64_t id)
{
    const struct msg msg = {.kind = MSG_WEB_LOG, .id = id};
    if (broker->access_log.path) process_send(broker, web, &msg, &broker->access_log.fd, 1);
}

static void fail(struct broker *broker, const struct control_ticket *ticket, enum err err, const char *text)
{
    log_error("access log not reopened reason=%s", log_quote(text));
    if (ticket) control_fail(broker, *ticket, err, text);
}

static void forget(struct access_log_file *log)
{
    *log = (struct access_log_file){.dir = log->dir, .fd = log->fd, .path = log->path};
}

static void check_done(struct broker *broker)
{
    struct access_log_file *log = &broker->access_log;
    for (size_t i = 0; i < LIMIT_PROCESSES; i++) {
        if (log->id == 0 || log->waits[i]) return;
    }
    log_line("access log reopened file=%s", log_quote(log->path));
    if (log->has_ticket) control_done(broker, log->ticket, 0);
    forget(log);
}

void access_log_reopen(struct broker *broker, const struct control_ticket *ticket)
{
    struct access_log_file *log = &broker->access_log;
    struct diag diag = {0};
    int fd;
    if (!log->path) {
        fail(broker, ticket, ERR_INPUT,
             "there is no file to open again: the log is on standard error; see [log] access_file");
        return;
    }
    if (log->id != 0 || broker->stopping) {
        fail(broker, ticket, ERR_AGAIN, "it is being reopened already; ask again");
        return;
    }
    enum err err = open_file(&fd, log->dir, log->path, FLAGS | O_CREAT, &diag);
    if (err != ERR_OK) {
        fail(broker, ticket, err, diag.text);
        return;
    }
    close(log->fd);
    log->fd = fd;
    log->id = ++broker->last_id;
    log->deadline = clock_monotonic_ms() + DEADLINE_REOPEN_MS;
    log->has_ticket = ticket != NULL;
    if (ticket) log->ticket = *ticket;
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *web = &broker->processes[i];
        if (web->row->program != PROGRAM_WEB || !process_is_up(web)) continue;
        log->waits[i] = true;
        access_log_tell(broker, web, log->id);
    }
    check_done(broker);
}

void access_log_note_answer(struct broker *broker, const struct process *web, const struct msg *msg)
{
    struct access_log_file *log = &broker->access_log;
    if (log->id == 0 || msg->id != log->id) return;
    log->waits[web - broker->processes] = false;
    check_done(broker);
}

void access_log_note_web_gone(struct broker *broker, const struct process *web)
{
    broker->access_log.waits[web - broker->processes] = false;
    check_done(broker);
}

void access_log_expire(struct broker *broker, uint64_t now)
{
    struct access_log_file *log = &broker->access_log;
    char text[LIMIT_TEXT + 1] = "", *at = text;
    if (log->deadline == 0 || now < log->deadline) return;
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (log->waits[i])
            at += snprintf(at, sizeof text / 2 - (size_t)(at - text), "%.16s ", broker->processes[i].name);
        if ((size_t)(at - text) > sizeof text / 2 - 32) break;
    }
    snprintf(at, sizeof text - (size_t)(at - text), "may still write to the old file; leave that alone, and ask again");
    const struct control_ticket ticket = log->ticket;
    const bool has_ticket = log->has_ticket;
    forget(log);
    fail(broker, has_ticket ? &ticket : NULL, ERR_TIMEOUT, text);
}
