#include "base/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"

enum err runtime_default_dir(char *out, size_t out_len, struct diag *diag)
{
    const char *session = getenv("XDG_RUNTIME_DIR");
    int len;
    if (geteuid() == 0)
        len = snprintf(out, out_len, "/run/keyward");
    else if (session != NULL && session[0] == '/')
        len = snprintf(out, out_len, "%s/keyward", session);
    else
        len = snprintf(out, out_len, "/tmp/keyward-%u", geteuid());
    if (len < 0 || (size_t)len >= out_len) {
        return diag_set(diag, ERR_INPUT, "runtime directory '%s/keyward': path too long; set a shorter XDG_RUNTIME_DIR",
                        session == NULL ? "" : session);
    }
    return ERR_OK;
}

/* runtime_trim copies dir without the slashes at its end, which would make the kernel follow a link. */
static enum err runtime_trim(char out[LIMIT_PATH], const char *dir, struct diag *diag)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') len--;
    if (len == 0 || len >= LIMIT_PATH) {
        return diag_set(diag, ERR_INPUT, "runtime directory: path empty or longer than %u bytes; give a shorter one",
                        LIMIT_PATH - 1);
    }
    memcpy(out, dir, len);
    out[len] = '\0';
    return ERR_OK;
}

static enum err runtime_check_dir(const char *path, struct diag *diag)
{
    AUTO_FD fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        return diag_set(diag, ERR_INPUT, "runtime directory '%s': a link or not a directory; remove it", path);
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return diag_set(diag, ERR_INPUT,
                        "runtime directory '%s': cannot open it: %s; make it accessible or give another", path,
                        strerror(errno));
    }
    if (st.st_uid != geteuid()) {
        return diag_set(diag, ERR_INPUT, "runtime directory '%s': owned by uid %u, want %u; remove it or give another",
                        path, st.st_uid, geteuid());
    }
    if ((st.st_mode & 07777) != 0700) {
        return diag_set(diag, ERR_INPUT, "runtime directory '%s': mode %04o, want 0700; run chmod 700 '%s'", path,
                        st.st_mode & 07777, path);
    }
    return ERR_OK;
}

enum err runtime_make_dir(const char *dir, struct diag *diag)
{
    char path[LIMIT_PATH];
    enum err err = runtime_trim(path, dir, diag);
    if (err != ERR_OK) return err;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return diag_set(diag, ERR_INPUT, "runtime directory '%s': cannot make it: %s; make its parent or give another",
                        path, strerror(errno));
    }
    return runtime_check_dir(path, diag);
}

static enum err runtime_check_server(int fd, const char *path, struct diag *diag)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer)) {
        return diag_set(diag, ERR_SYSTEM, "control socket '%s': cannot tell who serves it: %s", path, strerror(errno));
    }
    if (peer.uid == 0 || peer.uid == geteuid()) return ERR_OK;
    return diag_set(diag, ERR_DENIED, "control socket '%s': served by uid %u, want %u or root; do not trust it", path,
                    peer.uid, geteuid());
}

static enum err runtime_connect_error(const char *path, const char *dir, struct diag *diag)
{
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) {
        return diag_set(diag, ERR_NOT_FOUND, "no broker is running in '%s'; start one, or name its runtime directory",
                        dir);
    }
    if (errno == EACCES || errno == EPERM) {
        return diag_set(diag, ERR_INPUT, "control socket '%s': %s; run as the user who started the broker, or as root",
                        path, strerror(errno));
    }
    return diag_set(diag, ERR_SYSTEM, "control socket '%s': cannot connect: %s; see whether the broker still answers",
                    path, strerror(errno));
}

enum err runtime_connect(int *out_fd, const char *dir, struct diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" RUNTIME_CONTROL_SOCKET, dir);
    if (len < 0 || (size_t)len >= sizeof(address.sun_path)) {
        return diag_set(diag, ERR_INPUT,
                        "runtime directory '%s': too long for a socket in it (%zu bytes); give a shorter", dir,
                        sizeof(address.sun_path));
    }
    AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    /* Connecting blocks while the broker's queue is full: for so long and no longer. */
    const struct timeval patience = {.tv_sec = DEADLINE_CONTROL_MS / 1000};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return runtime_connect_error(address.sun_path, dir, diag);
    }
    enum err err = runtime_check_server(fd, address.sun_path, diag);
    if (err == ERR_OK) *out_fd = auto_keep_fd(&fd);
    return err;
}
