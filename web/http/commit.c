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
    bool confined;
    struct diag confine_diag;
    enum err confine_err;
    int directory_fd;
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

/* Gives the file its name. A name that is new must be told from one that is replaced, so the exclusive rename comes
 * first; file systems that do not know it answer EINVAL. */
static int publish(int directory_fd, struct commit *commit)
{
    commit->result = COMMIT_CREATED;
    if (renameat2(directory_fd, commit->temporary, directory_fd, commit->name, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EEXIST && errno != EINVAL) return -1;
    struct stat stat;
    if (fstatat(directory_fd, commit->name, &stat, AT_SYMLINK_NOFOLLOW) == 0) {
        commit->result = COMMIT_REPLACED;
        if (S_ISDIR(stat.st_mode)) {
            errno = EISDIR; /* Landlock would say EACCES */
            return -1;
        }
    }
    return renameat(directory_fd, commit->temporary, directory_fd, commit->name);
}

static void commit_run(int directory_fd, struct commit *commit)
{
    bool renamed = false;
    bool durable = false;
    if (fsync(commit->fd) == 0) renamed = publish(directory_fd, commit) == 0;
    if (renamed) durable = fsync(directory_fd) == 0;
    if (!durable) {
        commit->error = errno;
        commit->result = COMMIT_FAILED;
        if (!renamed) unlinkat(directory_fd, commit->temporary, 0);
    }
    close(commit->fd);
    commit->fd = -1;
}

/* The next commit, or NULL when the thread is to end. Called with the lock held. */
static struct commit *next_commit(struct committer *committer)
{
    for (;;) {
        struct commit *commit = queue_pop(&committer->waiting);
        if (commit != NULL || committer->stop) return commit;
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
    enum err err = commit_confine(committer->directory_fd, &committer->confine_diag);
    pthread_mutex_lock(&committer->lock);
    committer->confine_err = err;
    committer->confined = true;
    pthread_cond_broadcast(&committer->changed);
    struct commit *commit;
    while (err == ERR_OK && (commit = next_commit(committer)) != NULL) {
        pthread_mutex_unlock(&committer->lock);
        commit_run(committer->directory_fd, commit);
        pthread_mutex_lock(&committer->lock);
        finish_commit(committer, commit);
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

enum err committer_start(struct committer **out, int directory_fd, struct diag *diag)
{
    struct committer *committer = calloc(1, sizeof(*committer));
    if (committer == NULL) return diag_set(diag, ERR_MEMORY, "uploads: no memory for the committer");
    CHECK(pthread_mutex_init(&committer->lock, NULL) == 0);
    CHECK(pthread_cond_init(&committer->changed, NULL) == 0);
    committer->directory_fd = directory_fd;
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
