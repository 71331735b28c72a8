#include "broker/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

void user_of(struct user *out, const struct topology *row)
{
    *out = (struct user){.name = row->user, .uid = geteuid(), .gid = getegid()};
    if (out->uid != 0) return;
    const struct passwd *entry = getpwnam(row->user);
    bool usable = entry && entry->pw_uid != 0 && entry->pw_gid != 0;
    out->change = true;
    out->uid = usable ? entry->pw_uid : row->id;
    out->gid = usable ? entry->pw_gid : (gid_t)row->id;
}

enum err user_become(const struct user *user)
{
    if (!user->change) return ERR_OK;
    if (setgroups(0, NULL) != 0) return ERR_SYSTEM;
    if (setresgid(user->gid, user->gid, user->gid) != 0) return ERR_SYSTEM;
    if (setresuid(user->uid, user->uid, user->uid) != 0) return ERR_SYSTEM;
    return ERR_OK;
}

/* In a process of its own, because the change cannot be taken back. */
static _Noreturn void ask_as(const struct user *user, int dir, int mode)
{
    if (user_become(user) != ERR_OK) _exit(2);
    _exit(faccessat(dir, ".", mode, AT_EACCESS) == 0 ? 0 : 1);
}

enum err user_may_access(const struct user *user, int dir, int mode)
{
    if (!user->change) return faccessat(dir, ".", mode, AT_EACCESS) == 0 ? ERR_OK : ERR_DENIED;
    pid_t pid = fork();
    if (pid == 0) ask_as(user, dir, mode);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return ERR_SYSTEM;
    if (WEXITSTATUS(status) == 0) return ERR_OK;
    return WEXITSTATUS(status) == 1 ? ERR_DENIED : ERR_SYSTEM;
}
