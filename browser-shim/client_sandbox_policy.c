#include "browser-shim/client_sandbox_policy.h"

#include "base/sandbox_rules.h"

/* No socket, no connect, no open: the connection, the handle and the files exist before the sandbox does. All that is
 * left of the file system is the directory that -o names, for the file to take its name in. */
static const struct sandbox_rule rules[] = {
    SANDBOX_RULES_RUN,
    SANDBOX_RULES_MEMORY,
    SANDBOX_RULES_CHANNEL,

    SANDBOX_ROW(read, "TLS records, the file to upload"),
    SANDBOX_ROW(write, "TLS records, the body, messages on standard error"),
    SANDBOX_ROW(poll, "waits for the server and for keyd"),
    SANDBOX_ROW(fsync, "the file is on the disk before it takes its name"),
    SANDBOX_ROW(renameat, "the file takes its name"),
    SANDBOX_ROW(renameat2, "the file takes its name"),
    SANDBOX_ROW(unlinkat, "removes the file that did not become whole"),
};

const struct sandbox_policy client_sandbox_policy = {
    .process = "browser-shim",
    .namespaces = SANDBOX_NS_NETWORK | SANDBOX_NS_MOUNT | SANDBOX_NS_IPC | SANDBOX_NS_UTS | SANDBOX_NS_CGROUP,
    .others = SANDBOX_KILL_OTHERS,
    .rules = rules,
    .num_rules = sizeof rules / sizeof *rules,
};
