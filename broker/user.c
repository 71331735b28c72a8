#include "broker/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "base/check.h"

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

/* Neither call says whether it worked; a second one tells what there is. */
static bool look_as(uid_t uid, gid_t gid)
{
    (void)setfsgid(gid);
    (void)setfsuid(uid);
    return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid;
}

/* For files alone, which can be taken back: the kernel takes the rights over them away with root's number, and gives them back with
 * it. The loader, whose filter has no other way to become anybody, asks in this way too. */
enum err user_may_access(const struct user *user, int dir, int mode)
{
    enum { MAX_GROUPS = 65536 }; /* the kernel's NGROUPS_MAX */
    static gid_t groups[MAX_GROUPS];
    if (!user->change) return faccessat(dir, ".", mode, AT_EACCESS) == 0 ? ERR_OK : ERR_DENIED;
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    const int num = getgroups(MAX_GROUPS, groups);
    if (num < 0 || setgroups(0, NULL) != 0) return ERR_SYSTEM;
    const bool looks = look_as(user->uid, user->gid);
    const bool may = looks && faccessat(dir, ".", mode, AT_EACCESS) == 0;
    CHECK(look_as(uid, gid) && setgroups((size_t)num, groups) == 0);
    if (!looks) return ERR_SYSTEM;
    return may ? ERR_OK : ERR_DENIED;
}
