#include "web/http/commit_confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

/* Rights newer than these headers (truncation, ABI 3; device ioctls, ABI 5): only named where the kernel has them. */
#define RIGHTS_ABI2 ((1ull << 14) - 1)
#define RIGHTS_ABI3 ((1ull << 15) - 1)
#define RIGHTS_ABI5 ((1ull << 16) - 1)

static uint64_t handled_rights(long abi)
{
    if (abi >= 5) return RIGHTS_ABI5;
    return abi >= 3 ? RIGHTS_ABI3 : RIGHTS_ABI2;
}

static enum err drop_capabilities(struct diag *diag)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof(none));
    if (syscall(SYS_capset, &header, none) != 0)
        return diag_set(diag, ERR_SYSTEM, "uploads: the committer cannot drop its capabilities: %s", strerror(errno));
    return ERR_OK;
}

static enum err restrict_files(int directory_fd, struct diag *diag)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2)
        return diag_set(diag, ERR_SYSTEM,
                        "uploads: the kernel has no Landlock of ABI 2 or later; run Linux 5.19 or later with landlock "
                        "in its lsm= list");
    struct landlock_ruleset_attr attributes = {.handled_access_fs = handled_rights(abi)};
    AUTO_FD ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    struct landlock_path_beneath_attr beneath = {
        .allowed_access = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE,
        .parent_fd = directory_fd,
    };
    if (ruleset < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return diag_set(diag, ERR_SYSTEM, "uploads: the committer cannot put on Landlock: %s", strerror(errno));
    return ERR_OK;
}

enum err commit_confine(int directory_fd, struct diag *diag)
{
    enum err err = drop_capabilities(diag);
    if (err != ERR_OK) return err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return diag_set(diag, ERR_SYSTEM, "uploads: the committer cannot set no_new_privs: %s", strerror(errno));
    return restrict_files(directory_fd, diag);
}
