#include "broker/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/runtime.h"

#define BACKLOG 16

static enum err already_running(const char *path, struct diag *diag)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    AUTO_FD fd = -1;
    if (runtime_connect(&fd, path, NULL) == ERR_OK && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        return diag_set(diag, ERR_INPUT,
                        "runtime directory '%s': a broker is already running there, pid %d; stop it with: kill %d, or "
                        "choose another with --runtime-dir",
                        path, (int)peer.pid, (int)peer.pid);
    }
    return diag_set(diag, ERR_INPUT,
                    "runtime directory '%s': a broker is already running there; stop it, or choose another with "
                    "--runtime-dir",
                    path);
}

/* A root's broker gives the directory to its own user. The next one takes it back before the usual check. */
static enum err take_back(int dir, const struct user *owner)
{
    struct stat st;
    if (!owner->change) return ERR_OK;
    if (fstat(dir, &st) != 0) return ERR_SYSTEM;
    if (st.st_uid != owner->uid) return ERR_OK;
    return fchown(dir, 0, 0) == 0 ? ERR_OK : ERR_SYSTEM;
}

static enum err lock_dir(int *out_dir, const char *path, const struct user *owner, struct diag *diag)
{
    struct stat st;
    enum err err = ERR_OK;
    if (lstat(path, &st) != 0 && errno == ENOENT) err = runtime_make_dir(path, diag);
    if (err != ERR_OK) return err;
    AUTO_FD dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        /* Says what is wrong with it. */
        err = runtime_make_dir(path, diag);
        return err != ERR_OK ? err : diag_set(diag, ERR_INPUT, "runtime directory '%s': cannot be opened", path);
    }
    if (flock(dir, LOCK_EX | LOCK_NB) != 0) return already_running(path, diag);
    if (take_back(dir, owner) != ERR_OK) {
        return diag_set(diag, ERR_SYSTEM, "runtime directory '%s': %s", path, strerror(errno));
    }
    err = runtime_make_dir(path, diag);
    if (err == ERR_OK) *out_dir = auto_keep_fd(&dir);
    return err;
}

/* Listens before privileges are given up, so that SO_PEERCRED shows clients the user who started the broker. */
static enum err listen_control(int *out_fd, int dir, const char *path, struct diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/" RUNTIME_CONTROL_SOCKET, path);
    if (len < 0 || (size_t)len >= sizeof address.sun_path) {
        return diag_set(diag, ERR_INPUT, "runtime directory '%s': too long for a socket in it; give a shorter one",
                        path);
    }
    if (unlinkat(dir, RUNTIME_CONTROL_SOCKET, 0) != 0 && errno != ENOENT) {
        return diag_set(diag, ERR_SYSTEM, "control socket '%s': cannot replace it: %s", address.sun_path,
                        strerror(errno));
    }
    mode_t before = umask(077);
    AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
        return diag_set(diag, ERR_SYSTEM, "control socket '%s': %s", address.sun_path, strerror(errno));
    }
    (void)umask(before);
    *out_fd = auto_keep_fd(&fd);
    return ERR_OK;
}

static enum err give_to(const struct runtime_dir *runtime_dir, const char *path, const struct user *owner,
                        struct diag *diag)
{
    if (!owner->change) return ERR_OK;
    if (fchownat(runtime_dir->dir, RUNTIME_CONTROL_SOCKET, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) == 0 &&
        fchown(runtime_dir->dir, owner->uid, owner->gid) == 0) {
        return ERR_OK;
    }
    return diag_set(diag, ERR_SYSTEM,
                    "runtime directory '%s': cannot give it to %s (uid %u): %s; that user has to exist in this user "
                    "namespace",
                    path, owner->name, (unsigned)owner->uid, strerror(errno));
}

enum err runtime_dir_take(struct runtime_dir *out, const char *path, const struct user *owner, struct diag *diag)
{
    AUTO_FD dir = -1;
    *out = (struct runtime_dir){.dir = -1, .control = -1};
    enum err err = lock_dir(&dir, path, owner, diag);
    if (err == ERR_OK) err = listen_control(&out->control, dir, path, diag);
    if (err != ERR_OK) return err;
    out->dir = auto_keep_fd(&dir);
    err = give_to(out, path, owner, diag);
    if (err != ERR_OK) runtime_dir_leave(out);
    return err;
}

void runtime_dir_leave(struct runtime_dir *runtime_dir)
{
    if (runtime_dir->dir < 0) return;
    (void)unlinkat(runtime_dir->dir, RUNTIME_CONTROL_SOCKET, 0);
    close(runtime_dir->control);
    close(runtime_dir->dir);
    *runtime_dir = (struct runtime_dir){.dir = -1, .control = -1};
}
