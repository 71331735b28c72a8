#include "web/http/upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "web/http/site_internal.h"

#define TEMPORARY_PREFIX ".upload-"
#define TEMPORARY_MODE 0640

struct upload {
    struct http_site *site;
    struct commit *commit; /* holds the file and the names; the committer's once submitted */
    bool submitted;
    void (*done)(void *context, const struct commit *result);
    void *context;
};

bool upload_name_is_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= LIMIT_UPLOAD_NAME && name[0] != '.' && strspn(name, letters) == len;
}

/* Removes the file if no process holds its lock: its worker is gone. */
static void sweep_one(int directory_fd, const char *name)
{
    AUTO_FD fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(directory_fd, name, 0);
}

enum err upload_sweep(int directory_fd, struct diag *diag)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        if (fd >= 0) close(fd);
        return diag_set(diag, ERR_SYSTEM, "uploads: cannot read the directory: %s", strerror(errno));
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0)
            sweep_one(directory_fd, entry->d_name);
    }
    closedir(directory);
    return ERR_OK;
}

static enum err temporary_name(char out[COMMIT_TEMPORARY])
{
    uint8_t random[8];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) return ERR_SYSTEM;
    char hex[2 * sizeof(random) + 1];
    bytes_hex(hex, (struct bytes){random, sizeof(random)});
    snprintf(out, COMMIT_TEMPORARY, TEMPORARY_PREFIX "%s", hex);
    return ERR_OK;
}

static enum err open_temporary(int directory_fd, struct commit *commit)
{
    if (temporary_name(commit->temporary) != ERR_OK) return ERR_SYSTEM;
    commit->fd =
        openat(directory_fd, commit->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, TEMPORARY_MODE);
    if (commit->fd < 0) return ERR_SYSTEM;
    /* Nobody else knows the file; only a file system without locks refuses, and then a starting worker may sweep the
     * file away, which ends this upload with an error. */
    flock(commit->fd, LOCK_EX | LOCK_NB);
    return ERR_OK;
}

static unsigned status_of(int error)
{
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) return HTTP_STATUS_INSUFFICIENT_STORAGE;
    if (error == EISDIR) return HTTP_STATUS_CONFLICT; /* the name is a directory's */
    if (error == EMFILE || error == ENFILE || error == ENOMEM) return HTTP_STATUS_SERVICE_UNAVAILABLE;
    return HTTP_STATUS_INTERNAL_SERVER_ERROR;
}

static struct fault file_fault(struct http_site *site, const char *name, const char *what, int error)
{
    if (http_site_may_log(site))
        log_line("upload failed name=%s what=%s error=%s", log_quote(name), what, log_quote(strerror(error)));
    return (struct fault){status_of(error), "the upload cannot be stored"};
}

struct fault upload_fault(const struct commit *result)
{
    return (struct fault){status_of(result->error), "the upload cannot be stored"};
}

struct fault upload_begin(struct upload **out, struct http_site *site, const char *name)
{
    if (site->num_uploads >= LIMIT_UPLOADS)
        return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "too many uploads at once"};
    AUTO_FREE struct upload *upload = calloc(1, sizeof(*upload));
    AUTO_FREE struct commit *commit = calloc(1, sizeof(*commit));
    if (upload == NULL || commit == NULL) return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};
    if (open_temporary(site->config.uploads_fd, commit) != ERR_OK) return file_fault(site, name, "open", errno);
    snprintf(commit->name, sizeof(commit->name), "%s", name);
    upload->site = site;
    upload->commit = commit;
    site->num_uploads++;
    *out = upload;
    upload = NULL;
    commit = NULL;
    return (struct fault){0, NULL};
}

struct fault upload_write(struct upload *upload, struct bytes data)
{
    while (data.len > 0) {
        ssize_t written = write(upload->commit->fd, data.data, data.len);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return file_fault(upload->site, upload->commit->name, "write", written < 0 ? errno : EIO);
        data.data += written;
        data.len -= (size_t)written;
    }
    return (struct fault){0, NULL};
}

static void commit_done(struct commit *commit)
{
    struct upload *upload = commit->context;
    upload->site->num_uploads--;
    if (commit->result == COMMIT_FAILED) (void)file_fault(upload->site, commit->name, "commit", commit->error);
    upload->commit = NULL;
    if (upload->done != NULL)
        upload->done(upload->context, commit);
    else
        free(upload); /* given up meanwhile */
    free(commit);
}

void upload_commit(struct upload *upload, void (*done)(void *context, const struct commit *result), void *context)
{
    upload->submitted = true;
    upload->done = done;
    upload->context = context;
    upload->commit->done = commit_done;
    upload->commit->context = upload;
    committer_submit(upload->site->committer, upload->commit);
}

void upload_abort(struct upload *upload)
{
    if (upload == NULL) return;
    struct commit *commit = upload->commit;
    if (commit != NULL && upload->submitted) {
        upload->done = NULL; /* commit_done frees it */
        return;
    }
    if (commit != NULL) {
        upload->site->num_uploads--;
        unlinkat(upload->site->config.uploads_fd, commit->temporary, 0);
        close(commit->fd);
        free(commit);
    }
    free(upload);
}
