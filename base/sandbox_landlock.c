/* Landlock by its system calls: Debian 12's headers know ABI 2 only, and there is no library. */
#include <errno.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/sandbox.h"
#include "base/sandbox_steps.h"

/* struct landlock_ruleset_attr of ABI 6. An older kernel is told a smaller size. */
struct landlock_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

#define LANDLOCK_FS_ABI1 ((1ull << 13) - 1)
#define LANDLOCK_FS_REFER (1ull << 13)    /* ABI 2 */
#define LANDLOCK_FS_TRUNCATE (1ull << 14) /* ABI 3 */
#define LANDLOCK_NET_BIND_TCP (1ull << 0) /* ABI 4 */
#define LANDLOCK_NET_CONNECT_TCP (1ull << 1)
#define LANDLOCK_FS_IOCTL_DEV (1ull << 15)  /* ABI 5 */
#define LANDLOCK_SCOPE_ABSTRACT (1ull << 0) /* ABI 6 */
#define LANDLOCK_SCOPE_SIGNALS (1ull << 1)

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Files are made, written and renamed within the directory; nothing is linked across directories (no REFER). */
#define LANDLOCK_WRITE                                                                              \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_FS_TRUNCATE)

int sandbox_landlock_abi(void)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

/* landlock_attr_for returns everything that this ABI can refuse, but what the policy keeps. */
static struct landlock_attr landlock_attr_for(const struct sandbox_policy *policy, int abi)
{
    struct landlock_attr attr = {.handled_access_fs = LANDLOCK_FS_ABI1 | LANDLOCK_FS_REFER};
    if (abi >= 3) attr.handled_access_fs |= LANDLOCK_FS_TRUNCATE;
    if (abi >= 4) attr.handled_access_net = LANDLOCK_NET_BIND_TCP | LANDLOCK_NET_CONNECT_TCP;
    if (abi >= 5) attr.handled_access_fs |= LANDLOCK_FS_IOCTL_DEV;
    if (abi >= 6) attr.scoped = LANDLOCK_SCOPE_ABSTRACT | LANDLOCK_SCOPE_SIGNALS;
    if ((policy->keeps & SANDBOX_KEEP_TCP_CONNECT) != 0) attr.handled_access_net &= ~LANDLOCK_NET_CONNECT_TCP;
    if ((policy->keeps & SANDBOX_KEEP_SIGNAL) != 0) attr.scoped &= ~LANDLOCK_SCOPE_SIGNALS;
    return attr;
}

static size_t landlock_attr_size(int abi)
{
    if (abi >= 6) return sizeof(struct landlock_attr);
    return abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static enum err landlock_allow_dir(int ruleset, const struct sandbox_dir *dir, uint64_t handled)
{
    uint64_t access = LANDLOCK_READ;
    if (dir->access == SANDBOX_READ_WRITE) access |= LANDLOCK_WRITE;
    const struct landlock_path_beneath_attr rule = {.allowed_access = access & handled, .parent_fd = dir->fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ? ERR_OK : ERR_SYSTEM;
}

/* struct landlock_net_port_attr and its rule type, of ABI 4. */
struct landlock_port {
    uint64_t allowed_access;
    uint64_t port;
};
#define LANDLOCK_RULE_PORT 2

static enum err landlock_allow_port(int ruleset, uint16_t port)
{
    const struct landlock_port rule = {.allowed_access = LANDLOCK_NET_CONNECT_TCP, .port = port};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PORT, &rule, 0) == 0 ? ERR_OK : ERR_SYSTEM;
}

enum err sandbox_restrict_files(const struct sandbox_policy *policy, const struct sandbox_reach *reach,
                                struct diag *diag)
{
    const int abi = sandbox_landlock_abi();
    if (abi < SANDBOX_LANDLOCK_MIN_ABI) {
        return diag_set(diag, ERR_SYSTEM,
                        "%s: sandbox: the kernel has Landlock ABI %d, want %d; run Linux 6.1 or newer with landlock in "
                        "its lsm= list (see /sys/kernel/security/lsm)",
                        policy->process, abi, SANDBOX_LANDLOCK_MIN_ABI);
    }
    const struct landlock_attr attr = landlock_attr_for(policy, abi);
    AUTO_FD ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, landlock_attr_size(abi), 0);
    if (ruleset < 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: Landlock ABI %d: cannot make a ruleset: %s", policy->process,
                        abi, strerror(errno));
    }
    for (size_t i = 0; i < reach->num_dirs; i++) {
        if (landlock_allow_dir(ruleset, &reach->dirs[i], attr.handled_access_fs) != ERR_OK) {
            return diag_set(diag, ERR_SYSTEM,
                            "%s: sandbox: Landlock: cannot keep descriptor %d reachable: %s; it has to be a directory",
                            policy->process, reach->dirs[i].fd, strerror(errno));
        }
    }
    bool knows_ports = (attr.handled_access_net & LANDLOCK_NET_CONNECT_TCP) != 0;
    for (size_t i = 0; i < reach->num_ports && knows_ports; i++) {
        if (landlock_allow_port(ruleset, reach->ports[i]) != ERR_OK) {
            return diag_set(diag, ERR_SYSTEM, "%s: sandbox: Landlock: cannot keep TCP port %u reachable: %s",
                            policy->process, reach->ports[i], strerror(errno));
        }
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: Landlock: %s", policy->process, strerror(errno));
    }
    return ERR_OK;
}
