#include "web/http/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "web/http/commit_confine.h"

struct queue {
    struct commit *first;
    struct commit *last;
};

struct committer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue waiting; /* the lock guards these */
    struct queue finished;
    bool stop;
    bool recount;
    bool confined;
    struct diag confine_diag;
    enum err confine_err;
    const struct upload_dir *directory;
    const struct quota *quota;
    int event_fd;
};

static void queue_push(struct queue *queue, struct commit *commit)
{
    commit->next = NULL;
    if (queue->last != NULL)
        queue->last->next = commit;
    else
        queue->first = commit;
    queue->last = commit;
}

static struct commit *queue_pop(struct queue *queue)
{
    struct commit *commit = queue->first;
    if (commit == NULL) return NULL;
    queue->first = commit->next;
    if (queue->first == NULL) queue->last = NULL;
    return commit;
}

static bool has_condition(const struct commit *commit)
{
    const struct conditional_write *condition = &commit->condition;
    return condition->if_match != NULL || condition->if_none_match != NULL || condition->if_unmodified_since != NULL;
}

/* What has the name, with its tag. False: nothing has. */
static bool look_up(int directory_fd, const char *name, struct stat *out, char etag[ETAG_MAX])
{
    if (fstatat(directory_fd, name, out, AT_SYMLINK_NOFOLLOW) != 0) return false;
    etag_of_file(etag, out, "");
    return true;
}

static int give_name(int directory_fd, struct commit *commit, bool replaces)
{
    commit->result = replaces ? COMMIT_REPLACED : COMMIT_CREATED;
    if (!replaces) {
        if (renameat2(directory_fd, commit->temporary, directory_fd, commit->name, RENAME_NOREPLACE) == 0) return 0;
        /* Somebody who does not ask for the lock came first, or the file system does not know the exclusive rename. */
        if (errno != EEXIST && errno != EINVAL) return -1;
        if (errno == EEXIST && has_condition(commit)) {
            commit->result = COMMIT_REFUSED;
            return 0;
        }
    }
    return renameat(directory_fd, commit->temporary, directory_fd, commit->name);
}

/* Gives the file its name, if what has the name is what the client expects. Under the lock. */
static int publish(const struct committer *committer, struct commit *commit)
{
    int directory_fd = upload_dir_fd(committer->directory);
    struct stat old = {0};
    struct stat new;
    char old_etag[ETAG_MAX];
    bool replaces = look_up(directory_fd, commit->name, &old, old_etag);
    uint64_t modified_s = replaces ? (uint64_t)old.st_mtim.tv_sec : CONDITIONAL_NO_DATE;
    if (replaces && S_ISDIR(old.st_mode)) {
        errno = EISDIR; /* Landlock would say EACCES */
        return -1;
    }
    if (!conditional_write_allows(&commit->condition, replaces ? old_etag : NULL, modified_s)) {
        commit->result = COMMIT_REFUSED;
        return 0;
    }
    if (fstat(commit->fd, &new) != 0 || give_name(directory_fd, commit, replaces) != 0) return -1;
    if (commit->result == COMMIT_REFUSED) return 0;
    etag_of_file(commit->etag, &new, "");
    uint64_t old_size = replaces && S_ISREG(old.st_mode) ? (uint64_t)old.st_size : 0;
    quota_replaced(committer->quota, (uint64_t) new.st_size, old_size);
    return 0;
}

static void count(const struct committer *committer)
{
    uint64_t bytes;
    if (upload_dir_count(committer->directory, &bytes) == ERR_OK) quota_counted(committer->quota, bytes);
}

static int publish_locked(const struct committer *committer, struct commit *commit)
{
    int error = upload_dir_lock(committer->directory);
    /* Without locks the last one wins, which is only as good where nobody minds. */
    if (error != 0 && (has_condition(commit) || committer->quota->page != NULL)) {
        errno = error;
        return -1;
    }
    int result = publish(committer, commit);
    error = errno;
    if (quota_is_stale(committer->quota, LIMIT_QUOTA_COUNTS_MS)) count(committer);
    upload_dir_unlock(committer->directory);
    errno = error;
    return result;
}

static void commit_run(const struct committer *committer, struct commit *commit)
{
    int directory_fd = upload_dir_fd(committer->directory);
    bool published = false;
    bool durable = false;
    if (fsync(commit->fd) == 0) published = publish_locked(committer, commit) == 0;
    bool named = published && commit->result != COMMIT_REFUSED;
    if (named) durable = fsync(directory_fd) == 0;
    if (!published || (named && !durable)) {
        commit->error = errno;
        commit->result = COMMIT_FAILED;
    }
    if (!named) unlinkat(directory_fd, commit->temporary, 0);
    close(commit->fd);
    commit->fd = -1;
}

static void recount(const struct committer *committer)
{
    if (!quota_is_stale(committer->quota, LIMIT_QUOTA_RETRY_MS)) return;
    if (upload_dir_lock(committer->directory) != 0) return;
    if (quota_is_stale(committer->quota, LIMIT_QUOTA_RETRY_MS)) count(committer); /* another worker may just have */
    upload_dir_unlock(committer->directory);
}

/* The next commit, or NULL when there is something else to do. Called with the lock held. */
static struct commit *next_commit(struct committer *committer)
{
    for (;;) {
        struct commit *commit = queue_pop(&committer->waiting);
        if (commit != NULL || committer->stop || committer->recount) return commit;
        pthread_cond_wait(&committer->changed, &committer->lock);
    }
}

static void finish_commit(struct committer *committer, struct commit *commit)
{
    static const uint64_t one = 1;
    queue_push(&committer->finished, commit);
    ssize_t written;
    do {
        written = write(committer->event_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

static void *committer_main(void *argument)
{
    struct committer *committer = argument;
    enum err err = commit_confine(upload_dir_fd(committer->directory), &committer->confine_diag);
    pthread_mutex_lock(&committer->lock);
    committer->confine_err = err;
    committer->confined = true;
    pthread_cond_broadcast(&committer->changed);
    while (err == ERR_OK) {
        struct commit *commit = next_commit(committer);
        if (commit == NULL && committer->stop) break;
        committer->recount = committer->recount && commit != NULL;
        pthread_mutex_unlock(&committer->lock);
        if (commit != NULL)
            commit_run(committer, commit);
        else
            recount(committer);
        pthread_mutex_lock(&committer->lock);
        if (commit != NULL) finish_commit(committer, commit);
    }
    pthread_mutex_unlock(&committer->lock);
    return NULL;
}

/* The thread takes no signals: they are the event loop's. */
static int start_thread(struct committer *committer)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&committer->thread, NULL, committer_main, committer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void committer_free(struct committer *committer)
{
    if (committer->event_fd >= 0) close(committer->event_fd);
    pthread_cond_destroy(&committer->changed);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
}

static enum err wait_confined(struct committer *committer, struct diag *diag)
{
    pthread_mutex_lock(&committer->lock);
    while (!committer->confined) pthread_cond_wait(&committer->changed, &committer->lock);
    pthread_mutex_unlock(&committer->lock);
    if (committer->confine_err == ERR_OK) return ERR_OK;
    return diag_set(diag, committer->confine_err, "%s", committer->confine_diag.text);
}

enum err committer_start(struct committer **out, const struct upload_dir *directory, const struct quota *quota,
                         struct diag *diag)
{
    struct committer *committer = calloc(1, sizeof(*committer));
    if (committer == NULL) return diag_set(diag, ERR_MEMORY, "uploads: no memory for the committer");
    CHECK(pthread_mutex_init(&committer->lock, NULL) == 0);
    CHECK(pthread_cond_init(&committer->changed, NULL) == 0);
    committer->directory = directory;
    committer->quota = quota;
    committer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = committer->event_fd < 0 ? errno : start_thread(committer);
    if (error != 0) {
        committer_free(committer);
        return diag_set(diag, ERR_SYSTEM, "uploads: cannot start the committer: %s", strerror(error));
    }
    enum err err = wait_confined(committer, diag);
    if (err != ERR_OK) {
        committer_stop(committer);
        return err;
    }
    *out = committer;
    return ERR_OK;
}

void committer_submit(struct committer *committer, struct commit *commit)
{
    pthread_mutex_lock(&committer->lock);
    queue_push(&committer->waiting, commit);
    pthread_cond_signal(&committer->changed);
    pthread_mutex_unlock(&committer->lock);
}

void committer_recount(struct committer *committer)
{
    pthread_mutex_lock(&committer->lock);
    committer->recount = true;
    pthread_cond_signal(&committer->changed);
    pthread_mutex_unlock(&committer->lock);
}

int committer_fd(const struct committer *committer)
{
    return committer->event_fd;
}

void committer_complete(struct committer *committer)
{
    uint64_t count;
    ssize_t got;
    do {
        got = read(committer->event_fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
    pthread_mutex_lock(&committer->lock);
    struct queue finished = committer->finished;
    committer->finished = (struct queue){NULL, NULL};
    pthread_mutex_unlock(&committer->lock);
    struct commit *commit;
    while ((commit = queue_pop(&finished)) != NULL) commit->done(commit);
}

void committer_stop(struct committer *committer)
{
    if (committer == NULL) return;
    pthread_mutex_lock(&committer->lock);
    committer->stop = true;
    pthread_cond_signal(&committer->changed);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    committer_complete(committer);
    committer_free(committer);
}
