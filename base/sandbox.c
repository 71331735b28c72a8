#include "base/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox_steps.h"

/* Linux 6.3; Debian 12's headers are older. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static enum err sandbox_drop_bounding(const struct sandbox_policy *policy, struct diag *diag)
{
    /* The kernel ends the list with EINVAL. EPERM: without CAP_SETPCAP the bounding set stays, and no_new_privs makes
     * it worthless, because nothing that is executed gains a capability any more. */
    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++) {
    }
    if (errno == EINVAL || errno == EPERM) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "%s: sandbox: cannot empty the capability bounding set: %s", policy->process,
                    strerror(errno));
}

enum err sandbox_drop_capabilities(const struct sandbox_policy *policy, struct diag *diag)
{
    enum err err = sandbox_drop_bounding(policy, diag);
    if (err != ERR_OK) return err;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (policy->capabilities != 0 && syscall(SYS_capget, &header, sets) != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: cannot read its capabilities: %s", policy->process,
                        strerror(errno));
    }
    const uint32_t kept = sets[0].permitted & (uint32_t)policy->capabilities;
    const struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3] = {{.effective = kept, .permitted = kept}};
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 || syscall(SYS_capset, &header, left) != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: cannot give up capabilities: %s", policy->process,
                        strerror(errno));
    }
    return ERR_OK;
}

/* Nobody reads this process's memory: not from a core file, not with a debugger of the same user, not from /proc. */
static enum err sandbox_hide_memory(const struct sandbox_policy *policy, struct diag *diag)
{
    const struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: cannot forbid core files and debuggers: %s", policy->process,
                        strerror(errno));
    }
    return ERR_OK;
}

/* W^X in the kernel: what is or was writable never becomes executable. The filter refuses PROT_EXEC as well, so a kernel
 * before 6.3, which says EINVAL, is no loss. */
static enum err sandbox_refuse_exec_gain(const struct sandbox_policy *policy, struct diag *diag)
{
    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 || errno == EINVAL || errno == EPERM) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "%s: sandbox: PR_SET_MDWE: %s", policy->process, strerror(errno));
}

enum err sandbox_enter(const struct sandbox_policy *policy, const struct sandbox_dir *dirs, size_t num_dirs,
                       struct diag *diag)
{
    return sandbox_enter_connecting(policy, dirs, num_dirs, NULL, 0, diag);
}

enum err sandbox_enter_connecting(const struct sandbox_policy *policy, const struct sandbox_dir *dirs, size_t num_dirs,
                                  const uint16_t *ports, size_t num_ports, struct diag *diag)
{
    const struct sandbox_reach reach = {dirs, num_dirs, ports, num_ports};
    enum err err = sandbox_hide_memory(policy, diag);
    if (err != ERR_OK) return err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: PR_SET_NO_NEW_PRIVS: %s", policy->process, strerror(errno));
    }
    if (policy->others == SANDBOX_KILL_OTHERS) {
        err = sandbox_drop_capabilities(policy, diag);
        if (err == ERR_OK) err = sandbox_restrict_files(policy, &reach, diag);
        if (err == ERR_OK) err = sandbox_refuse_exec_gain(policy, diag);
        if (err != ERR_OK) return err;
    }
    return sandbox_filter_calls(policy, diag);
}
