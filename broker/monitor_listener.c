#include "broker/monitor_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "broker/listener.h"

#define FILE_NAME "metrics"
#define BACKLOG 128

static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    (void)umask(before);
    return result;
}

/* Whether the file is a socket that nobody listens on any more. */
static bool is_left_behind(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) return false;
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
}

static enum err listen_unix(int *out_fd, const char *path, const struct user *owner, struct diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (len < 0 || (size_t)len >= sizeof address.sun_path) {
        return diag_set(diag, ERR_INPUT, "--metrics 'unix:%s': longer than %zu bytes; give a shorter path", path,
                        sizeof address.sun_path - 1);
    }
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -1 : bind_private(fd, &address);
    if (fd >= 0 && result != 0 && errno == EADDRINUSE) {
        if (!is_left_behind(&address)) {
            return diag_set(diag, ERR_INPUT,
                            "--metrics 'unix:%s': there is a file of that name that is in use; give another path",
                            path);
        }
        result = unlink(path) == 0 ? bind_private(fd, &address) : -1;
    }
    if (result != 0 || listen(fd, BACKLOG) != 0 || (owner->change && lchown(path, owner->uid, owner->gid) != 0)) {
        return diag_set(diag, ERR_INPUT, "--metrics 'unix:%s': %s; give a path where a socket can be made", path,
                        strerror(errno));
    }
    *out_fd = auto_keep_fd(&fd);
    return ERR_OK;
}

enum err monitor_listen(struct monitor_listener *out, struct config *config, const struct runtime_dir *runtime_dir,
                        const struct user *owner, struct diag *diag)
{
    char path[LIMIT_PATH + 10];
    *out = (struct monitor_listener){.fd = -1};
    switch (config->metrics) {
    case CONFIG_METRICS_NONE: return ERR_OK;
    case CONFIG_METRICS_ADDRESS: {
        enum err err = listener_bind(&out->fd, &config->metrics_address, "metrics", diag);
        char text[ADDRESS_TEXT];
        if (err == ERR_OK) address_format(text, &config->metrics_address);
        if (err == ERR_OK) snprintf(out->address, sizeof out->address, "%s", text);
        return err;
    }
    case CONFIG_METRICS_PATH: snprintf(path, sizeof path, "%s", config->metrics_path); break;
    case CONFIG_METRICS_RUNTIME_DIR:
        snprintf(path, sizeof path, "%s/" FILE_NAME, config->runtime_dir);
        /* Whoever holds the directory's lock is the one broker that can have it. */
        if (unlinkat(runtime_dir->dir, FILE_NAME, 0) != 0 && errno != ENOENT)
            return diag_set(diag, ERR_SYSTEM, "metrics socket '%s': cannot replace it: %s", path, strerror(errno));
        break;
    }
    snprintf(out->address, sizeof out->address, "unix:%s", path);
    return listen_unix(&out->fd, path, owner, diag);
}

void monitor_leave(struct monitor_listener *monitor, const struct runtime_dir *runtime_dir)
{
    if (monitor->fd < 0) return;
    (void)unlinkat(runtime_dir->dir, FILE_NAME, 0);
    close(monitor->fd);
    monitor->fd = -1;
}
