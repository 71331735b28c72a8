/* The browser's mount namespace. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "browser-shim/layout.h"
#include "browser-shim/namespace.h"

#define MAX_MODULE (16u << 20)
#define MAX_XAUTHORITY 65536u
#define MAX_POLICY 65536u /* one file */
#define MAX_POLICIES 32u
#define X_DIRECTORY "/tmp/.X11-unix"

/* What has to be taken from the host's file system before it is covered. */
struct belongings {
    int x_socket; /* O_PATH, as the next one; -1: none */
    int wayland_socket;
    int xauthority; /* -1: none */
    char x_path[64];
};

static void belongings_close(struct belongings *belongings)
{
    auto_close(&belongings->x_socket);
    auto_close(&belongings->wayland_socket);
    auto_close(&belongings->xauthority);
}

/* ":1" or ":1.0" is socket X1. A display on another host cannot be reached from in there, and should not be. */
static enum err open_x_display(struct belongings *belongings, const char *display, struct diag *diag)
{
    size_t digits = display[0] == ':' ? strspn(display + 1, "0123456789") : 0;
    if (digits < 1 || digits > 4 || (display[1 + digits] != '\0' && display[1 + digits] != '.')) {
        return diag_set(diag, ERR_INPUT, "display '%s': not a local X display; want :NUMBER", display);
    }
    snprintf(belongings->x_path, sizeof belongings->x_path, X_DIRECTORY "/X%.*s", (int)digits, display + 1);
    belongings->x_socket = open(belongings->x_path, O_PATH | O_CLOEXEC);
    if (belongings->x_socket >= 0) return ERR_OK;
    return diag_set(diag, ERR_NOT_FOUND, "display '%s': no X server at '%s': %s", display, belongings->x_path,
                    strerror(errno));
}

static enum err belongings_open(struct belongings *out, const struct shim_setup *setup, struct diag *diag)
{
    *out = (struct belongings){.x_socket = -1, .wayland_socket = -1, .xauthority = -1};
    if (setup->display[0] != '\0') {
        enum err err = open_x_display(out, setup->display, diag);
        if (err != ERR_OK) return err;
    }
    if (setup->wayland_display[0] != '\0') {
        out->wayland_socket = open(setup->wayland_display, O_PATH | O_CLOEXEC);
        if (out->wayland_socket < 0) {
            return diag_set(diag, ERR_NOT_FOUND, "Wayland display '%s': %s", setup->wayland_display, strerror(errno));
        }
    }
    if (setup->xauthority[0] != '\0') {
        out->xauthority = open(setup->xauthority, O_RDONLY | O_CLOEXEC);
        if (out->xauthority < 0) {
            return diag_set(diag, ERR_NOT_FOUND,
                            "X authority file '%s': %s; start the broker as the user whose display it is, or add "
                            "--headless",
                            setup->xauthority, strerror(errno));
        }
    }
    return ERR_OK;
}

static enum err fail(struct diag *diag, const char *what, const char *path)
{
    const char *advice = errno == EPERM ? "; in a container: leave /proc unmasked" : "";
    return diag_set(diag, ERR_SYSTEM, "browser's mount namespace: cannot %s '%s': %s%s", what, path, strerror(errno),
                    advice);
}

/* Empty directories of its own. */
static const struct cover {
    const char *path;
    const char *options;
    const char *reason;
} covers[] = {
    {"/home", "size=512m,nr_inodes=64k,mode=0755", "people's files; the browser's home is in its place"},
    {"/root", "size=4k,nr_inodes=1,mode=0500", "the administrator's files"},
    {"/run", "size=4k,nr_inodes=1,mode=0555", "sockets of the host's services: D-Bus, a user's session"},
    {"/tmp", "size=256m,nr_inodes=64k,mode=0700", "everybody's files and sockets"},
    {"/var/tmp", "size=4k,nr_inodes=1,mode=0555", "everybody's files"},
    {"/dev/shm", "size=512m,nr_inodes=64k,mode=0700", "everybody's shared memory"},
};

static enum err mount_covers(struct diag *diag)
{
    for (size_t i = 0; i < sizeof covers / sizeof covers[0]; i++) {
        if (mount("keyward", covers[i].path, "tmpfs", MS_NOSUID | MS_NODEV, covers[i].options) == 0) continue;
        if (errno != ENOENT) return fail(diag, "put an empty directory over", covers[i].path);
    }
    return ERR_OK;
}

/* The order matters: what is mounted after the first step is not read-only, and /proc has to be writable for Chromium to
 * make its own sandbox's user namespaces. */
static enum err mount_all(struct diag *diag)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
        return fail(diag, "make read-only", "/");
    }
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        return fail(diag, "mount its own processes on", "/proc");
    }
    enum err err = mount_covers(diag);
    if (err != ERR_OK) return err;
    if (mkdir(LAYOUT_OWN, 0755) != 0 ||
        mount("keyward", LAYOUT_OWN, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,nr_inodes=128,mode=0755") != 0) {
        return fail(diag, "make", LAYOUT_OWN);
    }
    return ERR_OK;
}

static enum err copy_file(const char *path, int from, size_t max, mode_t mode, struct diag *diag)
{
    struct stat info = {0};
    AUTO_FD to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (to < 0 || fstat(from, &info) != 0) return fail(diag, "make", path);
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > max) {
        return diag_set(diag, ERR_INPUT,
                        "'%s' in the browser's mount namespace: its source is not a file of at most "
                        "%zu bytes",
                        path, max);
    }
    off_t offset = 0;
    while (offset < info.st_size) {
        ssize_t sent = sendfile(to, from, &offset, (size_t)(info.st_size - offset));
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return fail(diag, "write", path);
    }
    return ERR_OK;
}

/* A socket of the host's is put under a name of ours; the server behind it notices nothing. */
static enum err bind_socket(int socket, const char *path, struct diag *diag)
{
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", socket);
    AUTO_FD place = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (place < 0 || mount(from, path, NULL, MS_BIND, NULL) != 0) return fail(diag, "show the display at", path);
    return ERR_OK;
}

static enum err unpack(const struct belongings *belongings, int module_fd, struct diag *diag)
{
    enum err err = copy_file(LAYOUT_MODULE, module_fd, MAX_MODULE, 0555, diag);
    if (err == ERR_OK && belongings->xauthority >= 0) {
        err = copy_file(LAYOUT_XAUTHORITY, belongings->xauthority, MAX_XAUTHORITY, 0400, diag);
    }
    if (err == ERR_OK && belongings->wayland_socket >= 0) {
        err = bind_socket(belongings->wayland_socket, LAYOUT_WAYLAND, diag);
    }
    if (err == ERR_OK && belongings->x_socket >= 0) {
        if (mkdir(X_DIRECTORY, 0755) != 0) return fail(diag, "make", X_DIRECTORY);
        err = bind_socket(belongings->x_socket, belongings->x_path, diag);
    }
    return err;
}

static enum err copy_policy(int from_dir, const char *to_dir, const char *name, struct diag *diag)
{
    char to[LIMIT_PATH + NAME_MAX + 2];
    snprintf(to, sizeof to, "%s/%s", to_dir, name);
    AUTO_FD fd = openat(from_dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return fail(diag, "read the host's", to);
    return copy_file(to, fd, MAX_POLICY, 0400, diag);
}

/* An operator's own policies stay in force. */
static enum err copy_policies(const struct browser_kind *kind, struct diag *diag)
{
    char from[LIMIT_PATH], to[LIMIT_PATH];
    enum err err = ERR_OK;
    unsigned num = 0;
    snprintf(from, sizeof from, "%s/%s", kind->policy_dir, kind->managed_dir);
    snprintf(to, sizeof to, "%s/%s", LAYOUT_POLICY, kind->managed_dir);
    DIR *dir = opendir(from);
    if (dir == NULL) return errno == ENOENT ? ERR_OK : fail(diag, "read", from);
    for (const struct dirent *entry; err == ERR_OK && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        err = ++num <= MAX_POLICIES ? copy_policy(dirfd(dir), to, entry->d_name, diag)
                                    : diag_set(diag, ERR_INPUT, "'%s': more than %u files", from, MAX_POLICIES);
    }
    closedir(dir);
    return err;
}

static bool has_policy(const struct browser_kind *kind)
{
    char path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/%s", kind->policy_dir, kind->policy.path);
    return access(path, F_OK) == 0;
}

/* What the browser reads as the machine's own policy is ours in there, and read-only. */
static enum err forbid(const struct browser_kind *kind, const char *origin, struct diag *diag)
{
    const struct profile_words words = {.origin = origin, .module = LAYOUT_MODULE};
    if (kind->managed_dir == NULL && has_policy(kind)) {
        log_line("browser keeps the policy in '%s/%s' in place of a kiosk's", kind->policy_dir, kind->policy.path);
        return ERR_OK;
    }
    if (mkdir(LAYOUT_POLICY, 0700) != 0) return fail(diag, "make", LAYOUT_POLICY);
    enum err err = profile_write(LAYOUT_POLICY, &kind->policy, &words, diag);
    if (err == ERR_OK && kind->managed_dir != NULL) err = copy_policies(kind, diag);
    if (err != ERR_OK) return err;
    if (mount(LAYOUT_POLICY, kind->policy_dir, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, kind->policy_dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
        return fail(diag, "put a kiosk's policy into", kind->policy_dir);
    return ERR_OK;
}

enum err namespace_cover(const struct shim_setup *setup, const struct browser_kind *kind, const char *origin,
                         int module_fd, struct diag *diag)
{
    AUTO(belongings_close) struct belongings belongings;
    enum err err = belongings_open(&belongings, setup, diag);
    if (err == ERR_OK) err = mount_all(diag);
    if (err == ERR_OK) err = unpack(&belongings, module_fd, diag);
    if (err == ERR_OK && setup->kiosk && kind->policy_dir != NULL) err = forbid(kind, origin, diag);
    if (err != ERR_OK) return err;
    /* The browser cannot put another module in the place of ours. */
    if (mount(NULL, LAYOUT_OWN, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0) {
        return fail(diag, "make read-only", LAYOUT_OWN);
    }
    if (chdir("/") != 0) return fail(diag, "enter", "/");
    return ERR_OK;
}
