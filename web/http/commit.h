/* The committer: a thread that makes finished uploads durable and visible, because fsync may take longer than an event
 * loop can wait. It only ever renames and removes entries of the uploads directory. */
#ifndef KEYWARD_WEB_HTTP_COMMIT_H
#define KEYWARD_WEB_HTTP_COMMIT_H

#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "web/http/conditional.h"
#include "web/http/etag.h"
#include "web/http/quota.h"
#include "web/http/upload_dir.h"

#define COMMIT_TEMPORARY 32

enum commit_result {
    COMMIT_CREATED,
    COMMIT_REPLACED,
    COMMIT_REFUSED, /* what is there is not what the client expects; the temporary file is gone */
    COMMIT_FAILED,  /* error says why; the temporary file is gone */
};

struct commit {
    int fd;                             /* the temporary file, completely written; closed by the committer */
    char temporary[COMMIT_TEMPORARY];   /* its name in the uploads directory */
    char name[LIMIT_UPLOAD_NAME + 1];   /* the name that it gets */
    struct conditional_write condition; /* what must be so when it gets it; the submitter's memory */
    enum commit_result result;
    char etag[ETAG_MAX]; /* of the file that has the name now */
    int error;           /* errno of a failure */
    /* Called by committer_complete, in its caller's thread; frees the commit. */
    void (*done)(struct commit *commit);
    void *context;
    struct commit *next;
};

struct committer;

/* committer_start starts the thread for the directory; directory and quota stay the caller's and must outlive it, and
 * the directory's stream is the thread's from here on. When it returns, the thread has no capabilities, and under
 * Landlock it can only make and remove files beneath the directory. */
MUST_CHECK enum err committer_start(struct committer **out, const struct upload_dir *directory,
                                    const struct quota *quota, struct diag *diag);

/* committer_recount has the directory counted for the quota, soon. */
void committer_recount(struct committer *committer);

/* committer_submit hands a commit over; it comes back through done. */
void committer_submit(struct committer *committer, struct commit *commit);

/* committer_fd is readable when commits are done. */
int committer_fd(const struct committer *committer);

/* committer_complete calls done for each finished commit. */
void committer_complete(struct committer *committer);

/* committer_stop waits for what has been submitted, calls done for it, and ends the thread. NULL is allowed. */
void committer_stop(struct committer *committer);

#endif
