/* The committer: a thread that makes finished uploads durable and visible, because fsync may take longer than an event
 * loop can wait. It only ever renames and removes entries of the uploads directory. */
#ifndef KEYWARD_WEB_HTTP_COMMIT_H
#define KEYWARD_WEB_HTTP_COMMIT_H

#include "base/err.h"
#include "base/limits.h"

#define COMMIT_TEMPORARY 32

enum commit_result {
    COMMIT_CREATED,
    COMMIT_REPLACED,
    COMMIT_FAILED, /* error says why; the temporary file is gone */
};

struct commit {
    int fd;                           /* the temporary file, completely written; closed by the committer */
    char temporary[COMMIT_TEMPORARY]; /* its name in the uploads directory */
    char name[LIMIT_UPLOAD_NAME + 1]; /* the name that it gets */
    enum commit_result result;
    int error; /* errno of a failure */
    /* Called by committer_complete, in its caller's thread; frees the commit. */
    void (*done)(struct commit *commit);
    void *context;
    struct commit *next;
};

struct committer;

/* committer_start starts the thread for the directory; the descriptor stays the caller's and must outlive it. When it
 * returns, the thread has no capabilities, and under Landlock it can only make and remove files beneath the
 * directory. */
MUST_CHECK enum err committer_start(struct committer **out, int directory_fd, struct diag *diag);

/* committer_submit hands a commit over; it comes back through done. */
void committer_submit(struct committer *committer, struct commit *commit);

/* committer_fd is readable when commits are done. */
int committer_fd(const struct committer *committer);

/* committer_complete calls done for each finished commit. */
void committer_complete(struct committer *committer);

/* committer_stop waits for what has been submitted, calls done for it, and ends the thread. NULL is allowed. */
void committer_stop(struct committer *committer);

#endif
