#include "keyd/sandbox_policy.h"

#include <sys/socket.h>

#include "base/sandbox_rules.h"

static const struct sandbox_rule rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_LOG,
    SANDBOX_RULES_CHANNEL,
    SANDBOX_RULES_LOOP,
    SANDBOX_ROW(pread64, "reads a private key that an operator brings, from the file that the broker opened"),
    SANDBOX_ROW(brk, "malloc's heap"),
    SANDBOX_ROW_IF(mmap, "malloc's large blocks: no file, and never executable", SANDBOX_MASKED(2, PROT_EXEC, 0),
                   SANDBOX_MASKED(3, MAP_ANONYMOUS, MAP_ANONYMOUS)),
    SANDBOX_ROW(munmap, "gives malloc's large blocks back"),
    SANDBOX_ROW_ENOSYS(mremap, "realloc tries it first and copies instead"),
    SANDBOX_ROW_IF(setsockopt, "asks the kernel to name the sender of each packet on a handle",
                   SANDBOX_IS_INT(1, SOL_SOCKET), SANDBOX_IS_INT(2, SO_PASSCRED)),
};

const struct sandbox_policy keyd_sandbox_policy = {
    .process = "keyd",
    .namespaces = SANDBOX_NS_NETWORK | SANDBOX_NS_MOUNT | SANDBOX_NS_IPC | SANDBOX_NS_UTS | SANDBOX_NS_CGROUP,
    .others = SANDBOX_KILL_OTHERS,
    .rules = rules,
    .num_rules = sizeof(rules) / sizeof(rules[0]),
};
