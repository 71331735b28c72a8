#include "web/http/open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "web/http/mime.h"

/* Names that hash alike share a few places, as in web/verified_chains.c. */
enum { PLACES = 4, SETS = LIMIT_OPEN_FILES / PLACES };

_Static_assert(LIMIT_OPEN_FILES % PLACES == 0, "whole sets");

struct open_files {
    int root_fd;
    uint64_t uses;
    struct open_file *places[SETS][PLACES]; /* each holds its file; or NULL */
};

struct open_files *open_files_new(int root_fd)
{
    struct open_files *files = calloc(1, sizeof(*files));
    if (files != NULL) files->root_fd = root_fd;
    return files;
}

void open_files_free(struct open_files *files)
{
    if (files == NULL) return;
    for (size_t set = 0; set < SETS; set++)
        for (size_t i = 0; i < PLACES; i++) open_file_release(files->places[set][i]);
    free(files);
}

struct open_file *open_file_hold(struct open_file *file)
{
    file->holders++;
    return file;
}

void open_file_release(struct open_file *file)
{
    if (file == NULL || --file->holders > 0) return;
    if (file->fd >= 0) close(file->fd);
    free(file->name);
    free(file);
}

/* FNV-1a. Who chooses names to crowd a set costs its files an openat2 each. */
static struct open_file **set_of(struct open_files *files, const char *name)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0'; at++) hash = (hash ^ *at) * 16777619u;
    return files->places[hash % SETS];
}

static int open_beneath(int root_fd, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    /* EAGAIN: somebody renamed a directory meanwhile, so the kernel cannot tell whether ".." stayed beneath. */
    for (int attempt = 0;; attempt++) {
        int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 8) return fd;
    }
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Both of one inode. A file that is renamed, replaced or removed changes its ctime, and so do new rights. */
static bool is_unchanged(const struct stat *a, const struct stat *b)
{
    return same_time(&a->st_ctim, &b->st_ctim) && same_time(&a->st_mtim, &b->st_mtim) && a->st_size == b->st_size &&
           a->st_nlink == b->st_nlink;
}

static bool is_good(const struct open_file *file, enum open_files_look look)
{
    struct stat now;
    if (clock_monotonic_ms() - file->opened_ms >= LIMIT_OPEN_FILE_MS) return false;
    if (file->fd < 0) return look == OPEN_FILES_LOOKED_LATELY;
    return fstat(file->fd, &now) == 0 && is_unchanged(&now, &file->stat);
}

/* Its one holder is the caller. NULL: no memory. */
static struct open_file *open_new(const struct open_files *files, const char *name)
{
    struct open_file *file = calloc(1, sizeof(*file));
    if (file == NULL) return NULL;
    file->holders = 1;
    file->opened_ms = clock_monotonic_ms();
    file->name = strdup(name);
    file->fd = file->name != NULL ? open_beneath(files->root_fd, name) : -1;
    if (file->fd < 0 || fstat(file->fd, &file->stat) != 0) {
        file->error = errno;
        return file;
    }
    file->type = mime_type(name);
    etag_of_file(file->etag, &file->stat, "");
    date_http(file->last_modified, (uint64_t)file->stat.st_mtim.tv_sec);
    return file;
}

/* Files, and that there is none: a browser asks for two compressed forms with each. */
static bool is_worth_keeping(const struct open_file *file)
{
    return file->error == 0 ? S_ISREG(file->stat.st_mode) : file->error == ENOENT;
}

static void keep(struct open_files *files, struct open_file **set, struct open_file *file)
{
    struct open_file **place = &set[0];
    for (size_t i = 0; i < PLACES; i++) {
        if (set[i] == NULL || (*place != NULL && set[i]->used < (*place)->used)) place = &set[i];
    }
    open_file_release(*place);
    *place = open_file_hold(file);
    file->used = ++files->uses;
}

/* NULL: it is not there, or not good any more, and then it is gone. */
static struct open_file *find(struct open_files *files, struct open_file **set, const char *name,
                              enum open_files_look look)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (set[i] == NULL || strcmp(set[i]->name, name) != 0) continue;
        if (is_good(set[i], look)) {
            set[i]->used = ++files->uses;
            return open_file_hold(set[i]);
        }
        open_file_release(set[i]);
        set[i] = NULL;
    }
    return NULL;
}

int open_files_get(struct open_file **out, struct open_files *files, const char *name, enum open_files_look look)
{
    struct open_file **set = set_of(files, name);
    struct open_file *file = find(files, set, name, look);
    *out = NULL;
    if (file == NULL) {
        file = open_new(files, name);
        if (file == NULL) return ENOMEM;
        if (is_worth_keeping(file)) keep(files, set, file);
    }
    const int error = file->error;
    if (error == 0)
        *out = file;
    else
        open_file_release(file);
    return error;
}
