#include "web/http/upload_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

enum err upload_dir_open(struct upload_dir *out, int directory_fd, struct diag *diag)
{
    AUTO_FD fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    out->stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (out->stream == NULL)
        return diag_set(diag, ERR_SYSTEM, "uploads: cannot read the directory: %s", strerror(errno));
    fd = -1; /* the stream's */
    return ERR_OK;
}

void upload_dir_close(struct upload_dir *dir)
{
    if (dir->stream != NULL) closedir(dir->stream);
    dir->stream = NULL;
}

int upload_dir_fd(const struct upload_dir *dir)
{
    return dirfd(dir->stream);
}

int upload_dir_lock(const struct upload_dir *dir)
{
    int result;
    do {
        result = flock(upload_dir_fd(dir), LOCK_EX);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

void upload_dir_unlock(const struct upload_dir *dir)
{
    flock(upload_dir_fd(dir), LOCK_UN);
}

static bool is_temporary(const char *name)
{
    return strncmp(name, UPLOAD_TEMPORARY_PREFIX, strlen(UPLOAD_TEMPORARY_PREFIX)) == 0;
}

/* Removes the file if no process holds its lock: its worker is gone. */
static void sweep_one(int directory_fd, const char *name)
{
    AUTO_FD fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(directory_fd, name, 0);
}

void upload_dir_sweep(const struct upload_dir *dir)
{
    const struct dirent *entry;
    rewinddir(dir->stream);
    while ((entry = readdir(dir->stream)) != NULL) {
        if (is_temporary(entry->d_name)) sweep_one(upload_dir_fd(dir), entry->d_name);
    }
}

enum err upload_dir_count(const struct upload_dir *dir, uint64_t *out_bytes)
{
    uint64_t bytes = 0;
    rewinddir(dir->stream);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir->stream);
        if (entry == NULL) break;
        struct stat stat;
        if (is_temporary(entry->d_name)) continue;
        if (fstatat(upload_dir_fd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0) continue; /* just removed */
        if (S_ISREG(stat.st_mode) && __builtin_add_overflow(bytes, (uint64_t)stat.st_size, &bytes)) bytes = UINT64_MAX;
    }
    if (errno != 0) return ERR_SYSTEM;
    *out_bytes = bytes;
    return ERR_OK;
}
