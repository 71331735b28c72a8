#include "web/http/upload.h"

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

#define TEMPORARY_MODE 0640

struct upload {
    struct http_site *site;
    struct commit *commit; /* holds the file and the names; the committer's once submitted */
    bool submitted;
    uint64_t taken;   /* of the quota */
    uint64_t written; /* never more */
    char *if_match;
    char *if_none_match;
    char if_unmodified_since[REQUEST_DATE];
    void (*done)(void *context, const struct commit *result);
    void *context;
};

bool upload_name_is_valid(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= LIMIT_UPLOAD_NAME && name[0] != '.' && strspn(name, letters) == len;
}

static enum err temporary_name(char out[COMMIT_TEMPORARY])
{
    uint8_t random[8];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) return ERR_SYSTEM;
    char hex[2 * sizeof(random) + 1];
    bytes_hex(hex, (struct bytes){random, sizeof(random)});
    snprintf(out, COMMIT_TEMPORARY, UPLOAD_TEMPORARY_PREFIX "%s", hex);
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
        log_error("upload failed name=%s what=%s error=%s", log_quote(name), what, log_quote(strerror(error)));
    return (struct fault){status_of(error), "the upload cannot be stored"};
}

struct fault upload_fault(const struct commit *result)
{
    if (result->result == COMMIT_REFUSED) return (struct fault){HTTP_STATUS_PRECONDITION_FAILED, NULL};
    return (struct fault){status_of(result->error), "the upload cannot be stored"};
}

static const struct fault ok;
static const struct fault no_memory = {HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};

/* Room for the upload to have that many bytes in all. Who finds none has the directory counted: somebody may have
 * cleared it. */
static struct fault take_room(struct upload *upload, uint64_t size)
{
    struct http_site *site = upload->site;
    if (size <= upload->taken) return ok;
    if (!quota_take(&site->quota, size - upload->taken)) {
        committer_recount(site->committer);
        return (struct fault){HTTP_STATUS_INSUFFICIENT_STORAGE, "the uploads directory has no room left"};
    }
    upload->taken = size;
    return ok;
}

/* The client need not send what would be refused at its end. */
static struct fault check_condition(const struct upload *upload)
{
    const struct commit *commit = upload->commit;
    struct stat stat;
    char etag[ETAG_MAX];
    bool there = fstatat(upload->site->config.uploads_fd, commit->name, &stat, AT_SYMLINK_NOFOLLOW) == 0;
    if (there) etag_of_file(etag, &stat, "");
    uint64_t modified_s = there ? (uint64_t)stat.st_mtim.tv_sec : CONDITIONAL_NO_DATE;
    if (conditional_write_allows(&commit->condition, there ? etag : NULL, modified_s)) return ok;
    return (struct fault){HTTP_STATUS_PRECONDITION_FAILED, NULL};
}

/* The conditions are the upload's from here on: it may outlive the request. */
static void take_condition(struct upload *upload, struct request *request)
{
    upload->if_match = request->if_match;
    upload->if_none_match = request->if_none_match;
    request->if_match = request->if_none_match = NULL;
    memcpy(upload->if_unmodified_since, request->if_unmodified_since, sizeof(upload->if_unmodified_since));
    upload->commit->condition = (struct conditional_write){
        .if_match = upload->if_match,
        .if_none_match = upload->if_none_match,
        .if_unmodified_since = upload->if_unmodified_since[0] != '\0' ? upload->if_unmodified_since : NULL,
    };
}

static void free_upload(struct upload *upload)
{
    quota_give(&upload->site->quota, upload->taken);
    free(upload->if_match);
    free(upload->if_none_match);
    free(upload->commit);
    free(upload);
}

struct fault upload_begin(struct upload **out, struct http_site *site, const char *name, struct request *request)
{
    if (site->num_uploads >= LIMIT_UPLOADS)
        return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "too many uploads at once"};
    struct upload *upload = calloc(1, sizeof(*upload));
    if (upload == NULL) return no_memory;
    upload->site = site;
    upload->commit = calloc(1, sizeof(*upload->commit));
    struct fault fault = upload->commit != NULL ? ok : no_memory;
    if (fault.status == 0) {
        snprintf(upload->commit->name, sizeof(upload->commit->name), "%s", name);
        take_condition(upload, request);
        fault = check_condition(upload);
    }
    if (fault.status == 0) fault = take_room(upload, request->num_lengths > 0 ? request->length : 0);
    if (fault.status == 0 && open_temporary(site->config.uploads_fd, upload->commit) != ERR_OK)
        fault = file_fault(site, name, "open", errno);
    if (fault.status != 0) {
        free_upload(upload);
        return fault;
    }
    site->num_uploads++;
    *out = upload;
    return ok;
}

struct fault upload_write(struct upload *upload, struct bytes data)
{
    struct fault fault = take_room(upload, upload->written + data.len);
    if (fault.status != 0) return fault;
    while (data.len > 0) {
        ssize_t written = write(upload->commit->fd, data.data, data.len);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return file_fault(upload->site, upload->commit->name, "write", written < 0 ? errno : EIO);
        data.data += written;
        data.len -= (size_t)written;
        upload->written += (uint64_t)written;
    }
    return ok;
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
        free_upload(upload); /* given up meanwhile */
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
    }
    free_upload(upload);
}
