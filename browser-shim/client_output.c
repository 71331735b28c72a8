#include "browser-shim/client_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err client_output_occupy_standard(struct diag *diag)
{
    for (;;) {
        int fd = open("/", O_PATH);
        if (fd < 0) return diag_set(diag, ERR_SYSTEM, "cannot open /: %s", strerror(errno));
        if (fd <= STDERR_FILENO) continue;
        close(fd);
        return ERR_OK;
    }
}

static enum err cannot_write(const char *path, struct diag *diag)
{
    return diag_set(diag, ERR_INPUT, "'%s': cannot write it: %s; choose another place with -o", path, strerror(errno));
}

/* Splits path into a directory that is opened and a name in it. */
static enum err open_directory(struct client_output *out, const char *path, struct diag *diag)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char dir[PATH_MAX] = ".";
    size_t dir_len = slash == path ? 1 : slash != NULL ? (size_t)(slash - path) : 0;
    int len = snprintf(out->name, sizeof out->name, "%s", name);
    if (len <= 0 || (size_t)len >= sizeof out->name || dir_len >= sizeof dir) {
        return diag_set(diag, ERR_INPUT, "'%s' is not a file's name; give -o a file", path);
    }
    if (dir_len > 0) {
        memcpy(dir, path, dir_len);
        dir[dir_len] = '\0';
    }
    out->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return out->dir >= 0 ? ERR_OK : cannot_write(path, diag);
}

enum err client_output_open(struct client_output *out, const char *path, struct diag *diag)
{
    *out = (struct client_output){.fd = STDOUT_FILENO, .dir = -1};
    if (path == NULL) return ERR_OK;
    out->fd = -1;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return diag_set(diag, ERR_INPUT, "'%s' is a directory; give -o a file", path);
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return out->fd >= 0 ? ERR_OK : cannot_write(path, diag);
    }
    enum err err = open_directory(out, path, diag);
    if (err != ERR_OK) return err;
    /* The process's id keeps two clients that write one file apart. */
    char temporary[sizeof out->temporary];
    snprintf(temporary, sizeof temporary, ".keyward-%ld.part", (long)getpid());
    if (unlinkat(out->dir, temporary, 0) != 0 && errno != ENOENT) return cannot_write(path, diag);
    out->fd = openat(out->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out->fd < 0) return cannot_write(path, diag);
    memcpy(out->temporary, temporary, sizeof temporary);
    return ERR_OK;
}

enum err client_output_write(struct client_output *output, const uint8_t *data, size_t len, struct diag *diag)
{
    while (len > 0) {
        ssize_t written = write(output->fd, data, len);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            return diag_set(diag, ERR_SYSTEM, "cannot write to %s: %s", output->dir < 0 ? "the output" : output->name,
                            strerror(errno));
        }
        data += written;
        len -= (size_t)written;
    }
    return ERR_OK;
}

enum err client_output_commit(struct client_output *output, struct diag *diag)
{
    if (output->dir < 0) return ERR_OK;
    if (fsync(output->fd) != 0 || renameat(output->dir, output->temporary, output->dir, output->name) != 0) {
        return diag_set(diag, ERR_SYSTEM, "cannot put '%s' in place: %s", output->name, strerror(errno));
    }
    output->temporary[0] = '\0';
    if (fsync(output->dir) != 0) {
        return diag_set(diag, ERR_SYSTEM, "cannot keep '%s': %s", output->name, strerror(errno));
    }
    return ERR_OK;
}

void client_output_cleanup(struct client_output *output)
{
    if (output->temporary[0] != '\0') unlinkat(output->dir, output->temporary, 0);
    if (output->fd > STDERR_FILENO) close(output->fd);
    if (output->dir >= 0) close(output->dir);
    *output = (struct client_output){.fd = -1, .dir = -1};
}
