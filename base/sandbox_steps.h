/* The steps of which base/sandbox.c puts a sandbox together. For base/sandbox*.c only. */
#ifndef KEYWARD_BASE_SANDBOX_STEPS_H
#define KEYWARD_BASE_SANDBOX_STEPS_H

#include "base/sandbox.h"

/* sandbox_drop_capabilities empties every capability set, the bounding and the ambient set included, but for what the policy keeps in
 * the effective and the permitted one. */
MUST_CHECK enum err sandbox_drop_capabilities(const struct sandbox_policy *policy, struct diag *diag);

/* What Landlock leaves. */
struct sandbox_reach {
    const struct sandbox_dir *dirs;
    size_t num_dirs;
    const uint16_t *ports; /* TCP, to connect to */
    size_t num_ports;
};

/* sandbox_restrict_files puts on Landlock: nothing of the file system and no TCP but what is within reach, no signals and no abstract
 * sockets out of the sandbox, as far as the running kernel knows them. */
MUST_CHECK enum err sandbox_restrict_files(const struct sandbox_policy *policy, const struct sandbox_reach *reach,
                                           struct diag *diag);

/* sandbox_filter_calls puts on the seccomp filter. Nothing after it may need a call that the policy does not allow. */
MUST_CHECK enum err sandbox_filter_calls(const struct sandbox_policy *policy, struct diag *diag);

#ifdef SANDBOX_SANITIZER
/* What a sanitizer's runtime needs beyond the policy. A normal build does not have it. */
extern const struct sandbox_rule sandbox_sanitizer_rules[];
extern const size_t sandbox_num_sanitizer_rules;
#endif

#endif
