#include "broker/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/limits.h"
#include "broker/topology.h"

#define MODULE "module.so"

static enum err own_dir(char *out, size_t out_len, struct diag *diag)
{
    ssize_t len = readlink("/proc/self/exe", out, out_len - 1);
    if (len < 0 || (size_t)len == out_len - 1) {
        return diag_set(diag, ERR_SYSTEM, "/proc/self/exe: cannot tell where the broker's program is; mount /proc");
    }
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    if (slash) *slash = '\0';
    return ERR_OK;
}

/* ERR_NOT_FOUND where there is no such file. */
static enum err open_one(int *out, const char *path, int flags, int want_mode, struct diag *diag)
{
    struct stat st;
    AUTO_FD fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return ERR_NOT_FOUND;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return diag_set(diag, ERR_SYSTEM, "'%s': %s; install Keyward's files afresh", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & (mode_t)want_mode) != (mode_t)want_mode) {
        return diag_set(diag, ERR_SYSTEM, "'%s': not a file of mode %04o; install Keyward's files afresh", path,
                        want_mode);
    }
    *out = auto_keep_fd(&fd);
    return ERR_OK;
}

/* Beside the broker comes first: there nobody can put a file who could not change the broker itself. Bazel's layout has
 * nothing there but the broker. */
static enum err find_one(int *out, const char *dir, const char *package, const char *file, int flags, int want_mode,
                         struct diag *diag)
{
    char beside[2 * LIMIT_PATH], built[2 * LIMIT_PATH];
    snprintf(beside, sizeof beside, "%s/%s", dir, file);
    snprintf(built, sizeof built, "%s/../%s/%s", dir, package, file);
    enum err err = open_one(out, beside, flags, want_mode, diag);
    if (err == ERR_NOT_FOUND) err = open_one(out, built, flags, want_mode, diag);
    if (err != ERR_NOT_FOUND) return err;
    return diag_set(diag, ERR_SYSTEM, "'%s': no such file, nor in ../%s; install it there, or build //broker", beside,
                    package);
}

static enum err open_all(struct programs *out, const char *dir, bool with_browser, struct diag *diag)
{
    for (size_t i = 0; i < topology_len; i++) {
        enum program program = topology[i].program;
        if (program == PROGRAM_NONE || (program == PROGRAM_SHIM && !with_browser)) continue;
        enum err err = find_one(&out->fds[program], dir, topology[i].package, topology[i].file, O_PATH, 0555, diag);
        if (err != ERR_OK) return err;
    }
    if (!with_browser) return ERR_OK;
    return find_one(&out->module, dir, topology_of(PROGRAM_SHIM)->package, MODULE, O_RDONLY, 0444, diag);
}

enum err programs_open(struct programs *out, const char *dir, bool with_browser, struct diag *diag)
{
    char own[LIMIT_PATH];
    for (size_t i = 0; i < PROGRAM_NUM; i++) out->fds[i] = -1;
    out->module = -1;
    enum err err = dir ? ERR_OK : own_dir(own, sizeof own, diag);
    if (err == ERR_OK) err = open_all(out, dir ? dir : own, with_browser, diag);
    if (err != ERR_OK) programs_close(out);
    return err;
}

void programs_close(struct programs *programs)
{
    for (size_t i = 0; i < PROGRAM_NUM; i++) {
        if (programs->fds[i] >= 0) close(programs->fds[i]);
        programs->fds[i] = -1;
    }
    if (programs->module >= 0) close(programs->module);
    programs->module = -1;
}
