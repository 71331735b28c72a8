#include "broker/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

#define PATH_SIZE 64
#define FILE_SIZE 16384

static const char *const names[PROCFS_NAMESPACES] = {"user", "mnt", "net", "pid", "ipc", "uts", "cgroup"};

/* Reads the start of a file, at most size - 1 bytes, and ends it with a NUL. */
static enum err read_start(char *out, size_t size, const struct procfs *procfs, const char *path)
{
    size_t len = 0;
    AUTO_FD fd = openat(procfs->dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ERR_NOT_FOUND;
    while (len < size - 1) {
        ssize_t got = read(fd, out + len, size - 1 - len);
        if (got < 0) return ERR_NOT_FOUND;
        if (got == 0) break;
        len += (size_t)got;
    }
    out[len] = '\0';
    return ERR_OK;
}

static void path_of(char out[PATH_SIZE], pid_t pid, const char *file)
{
    if (pid == 0) {
        snprintf(out, PATH_SIZE, "self/%s", file);
    } else {
        snprintf(out, PATH_SIZE, "%d/%s", (int)pid, file);
    }
}

static const char *field(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    return at ? at + strlen(name) : "";
}

static uint32_t number(const char *status, const char *name)
{
    return (uint32_t)strtoul(field(status, name), NULL, 10);
}

/* How many namespaces deep a process has a pid, as seen from the reader's own. */
static unsigned pid_depth(const char *status)
{
    unsigned depth = 0;
    for (const char *at = field(status, "\nNStgid:"); *at == '\t'; depth++) at += 1 + strcspn(at + 1, "\t\n");
    return depth;
}

/* The number in "net:[4026531840]"; 0: the kernel does not show it. */
static uint64_t namespace_of(const struct procfs *procfs, pid_t pid, const char *name)
{
    char path[PATH_SIZE], file[16], link[PATH_SIZE];
    snprintf(file, sizeof file, "ns/%s", name);
    path_of(path, pid, file);
    ssize_t len = readlinkat(procfs->dir, path, link, sizeof link - 1);
    if (len <= 0) return 0;
    link[len] = '\0';
    const char *bracket = strchr(link, '[');
    return bracket ? strtoull(bracket + 1, NULL, 10) : 0;
}

static bool file_differs(const struct procfs *procfs, pid_t pid, const char *file)
{
    char path[PATH_SIZE], own[512], other[512];
    path_of(path, 0, file);
    if (read_start(own, sizeof own, procfs, path) != ERR_OK) return false;
    path_of(path, pid, file);
    return read_start(other, sizeof other, procfs, path) == ERR_OK && strcmp(own, other) != 0;
}

/* A new mount namespace has new mounts, each with a number of its own; a process in ours has a root out of our list. */
static bool mounts_differ(const struct procfs *procfs, pid_t pid)
{
    char path[PATH_SIZE], first[32], line[40];
    char *own = malloc(FILE_SIZE);
    AUTO_FREE char *freed = own;
    path_of(path, pid, "mountinfo");
    if (!freed || read_start(first, sizeof first, procfs, path) != ERR_OK) return false;
    if (read_start(own, FILE_SIZE, procfs, "self/mountinfo") != ERR_OK || strlen(own) == FILE_SIZE - 1) return false;
    size_t len = strspn(first, "0123456789");
    if (len == 0) return false;
    snprintf(line, sizeof line, "\n%.*s ", (int)len, first);
    return strncmp(own, line + 1, len + 1) != 0 && !strstr(own, line);
}

/* Whether the looker's socket is missing in the list of AF_UNIX sockets of that process's network namespace. */
static bool socket_missing(const struct procfs *procfs, pid_t pid)
{
    char path[PATH_SIZE], line[512];
    bool header = false;
    if (procfs->socket_inode == 0) return false;
    path_of(path, pid, "net/unix");
    int fd = openat(procfs->dir, path, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) return false;
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) {
        uint64_t inode = 0;
        /* Num: RefCount Protocol Flags Type St Inode Path */
        if (sscanf(line, "%*[^:]: %*x %*x %*x %*x %*x %" SCNu64, &inode) != 1) header = true;
        found = inode == procfs->socket_inode;
    }
    bool whole = feof(file) && !ferror(file);
    fclose(file);
    return header && whole && !found;
}

static bool hidden_differs(const struct procfs *procfs, pid_t pid, const char *status, const char *name)
{
    char own[FILE_SIZE / 4];
    if (strcmp(name, "user") == 0) return file_differs(procfs, pid, "uid_map");
    if (strcmp(name, "mnt") == 0) return mounts_differ(procfs, pid);
    if (strcmp(name, "net") == 0) return socket_missing(procfs, pid);
    if (strcmp(name, "pid") != 0) return false;
    return read_start(own, sizeof own, procfs, "self/status") == ERR_OK && pid_depth(status) > pid_depth(own);
}

static void compare_namespaces(struct procfs_process *out, const struct procfs *procfs, pid_t pid, const char *status)
{
    for (size_t i = 0; i < PROCFS_NAMESPACES; i++) {
        uint64_t shown = namespace_of(procfs, pid, names[i]);
        bool differs = shown != 0 && procfs->own_namespaces[i] != 0 ? shown != procfs->own_namespaces[i]
                                                                    : hidden_differs(procfs, pid, status, names[i]);
        if (!differs) continue;
        size_t len = strlen(out->namespaces);
        snprintf(out->namespaces + len, sizeof out->namespaces - len, "%s%s", len ? "," : "", names[i]);
    }
}

enum err procfs_open(struct procfs *out, int socket, struct diag *diag)
{
    struct stat st;
    *out = (struct procfs){.dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (out->dir < 0) return diag_set(diag, ERR_SYSTEM, "/proc: %s; mount it", strerror(errno));
    for (size_t i = 0; i < PROCFS_NAMESPACES; i++) out->own_namespaces[i] = namespace_of(out, 0, names[i]);
    if (socket >= 0 && fstat(socket, &st) == 0) out->socket_inode = st.st_ino;
    return ERR_OK;
}

enum err procfs_read(struct procfs_process *out, const struct procfs *procfs, pid_t pid)
{
    char path[PATH_SIZE], status[FILE_SIZE / 4];
    *out = (struct procfs_process){0};
    path_of(path, pid, "status");
    if (pid <= 0 || read_start(status, sizeof status, procfs, path) != ERR_OK) return ERR_NOT_FOUND;
    out->parent = number(status, "\nPPid:");
    out->uid = number(status, "\nUid:");
    out->seccomp_mode = number(status, "\nSeccomp:");
    out->no_new_privs = number(status, "\nNoNewPrivs:") == 1;
    out->resident_bytes = UINT64_C(1024) * number(status, "\nVmRSS:");
    compare_namespaces(out, procfs, pid, status);
    return ERR_OK;
}
