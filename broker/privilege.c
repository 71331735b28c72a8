#include "broker/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (1u << (capability))

/* All are below 32: one word of the set holds them. Who may become anybody gains nothing by reading anybody's files; the loader reads
 * what the broker could read at its start, such as an uploads directory that is web's alone. */
static const unsigned needed = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL);
static const unsigned kept = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_DAC_READ_SEARCH);

static int drop_bounding(void)
{
    for (unsigned long capability = 0;; capability++) {
        if (capability < 32 && (kept & BIT(capability)) != 0) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
        /* EINVAL ends the list. EPERM: without CAP_SETPCAP the set stays, and no_new_privs makes it worthless. */
        return errno == EINVAL || errno == EPERM ? 0 : -1;
    }
}

static int keep(unsigned capabilities)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = capabilities, .permitted = capabilities}};
    return (int)syscall(SYS_capset, &header, sets);
}

enum err privilege_keep_spawning(struct diag *diag)
{
    if (geteuid() != 0) return ERR_OK;
    if (drop_bounding() == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
        (keep(kept) == 0 || keep(needed) == 0)) {
        return ERR_OK;
    }
    return diag_set(diag, ERR_SYSTEM,
                    "capabilities: %s; as root the broker needs CAP_SETUID, CAP_SETGID and CAP_KILL: give it those, or "
                    "start it as an ordinary user",
                    strerror(errno));
}
