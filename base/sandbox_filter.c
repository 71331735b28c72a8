/* The seccomp filter, from a policy's rows. */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/sandbox.h"
#include "base/sandbox_steps.h"

static void filter_release(scmp_filter_ctx *filter)
{
    if (*filter != NULL) seccomp_release(*filter);
}

static uint32_t filter_action(enum sandbox_verdict verdict)
{
    switch (verdict) {
    case SANDBOX_ALLOW: return SCMP_ACT_ALLOW;
    case SANDBOX_ENOSYS: return SCMP_ACT_ERRNO(ENOSYS);
    case SANDBOX_EPERM: return SCMP_ACT_ERRNO(EPERM);
    }
    return SCMP_ACT_KILL_PROCESS;
}

/* filter_conditions fills out and returns how many conditions the row has. */
static unsigned filter_conditions(struct scmp_arg_cmp out[SANDBOX_ARGS], const struct sandbox_rule *rule)
{
    unsigned num = 0;
    for (unsigned i = 0; i < SANDBOX_ARGS; i++) {
        const struct sandbox_arg *arg = &rule->args[i];
        switch (arg->test) {
        case SANDBOX_ANY: break;
        case SANDBOX_EQUAL:
            out[num++] = (struct scmp_arg_cmp){.arg = i, .op = SCMP_CMP_EQ, .datum_a = arg->value};
            break;
        case SANDBOX_MASKED_EQUAL:
            out[num++] =
                (struct scmp_arg_cmp){.arg = i, .op = SCMP_CMP_MASKED_EQ, .datum_a = arg->mask, .datum_b = arg->value};
            break;
        }
    }
    return num;
}

/* A row without conditions takes all of its call. libseccomp would let it swallow the call's other rows in silence, so
 * a table that contradicts itself is refused. */
static bool filter_row_alone(const struct sandbox_policy *policy, size_t row)
{
    struct scmp_arg_cmp conditions[SANDBOX_ARGS];
    if (filter_conditions(conditions, &policy->rules[row]) > 0) return true;
    for (size_t i = 0; i < policy->num_rules; i++) {
        if (i != row && policy->rules[i].syscall == policy->rules[row].syscall) return false;
    }
    return true;
}

static enum err filter_add(scmp_filter_ctx filter, const struct sandbox_policy *policy, const struct sandbox_rule *rule,
                           struct diag *diag)
{
    struct scmp_arg_cmp conditions[SANDBOX_ARGS];
    const unsigned num = filter_conditions(conditions, rule);
    const int result =
        seccomp_rule_add_exact_array(filter, filter_action(rule->verdict), rule->syscall, num, conditions);
    if (result == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM, "%s: sandbox: libseccomp refuses the row for system call %d (%s): %s",
                    policy->process, rule->syscall, rule->reason, strerror(-result));
}

static enum err filter_add_policy(scmp_filter_ctx filter, const struct sandbox_policy *policy, struct diag *diag)
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        if (!filter_row_alone(policy, i)) {
            return diag_set(diag, ERR_SYSTEM, "%s: sandbox: system call %d has a row for everything (%s) and another",
                            policy->process, policy->rules[i].syscall, policy->rules[i].reason);
        }
        enum err err = filter_add(filter, policy, &policy->rules[i], diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

#ifdef SANDBOX_SANITIZER
static bool filter_has_call(const struct sandbox_policy *policy, int call)
{
    for (size_t i = 0; i < policy->num_rules; i++) {
        if (policy->rules[i].syscall == call) return true;
    }
    return false;
}

/* What base/sandbox_sanitizer.c adds; what the policy has a row for stays as the policy says. */
static enum err filter_add_sanitizer(scmp_filter_ctx filter, const struct sandbox_policy *policy, struct diag *diag)
{
    if (policy->others != SANDBOX_KILL_OTHERS) return ERR_OK;
    for (size_t i = 0; i < sandbox_num_sanitizer_rules; i++) {
        const struct sandbox_rule *rule = &sandbox_sanitizer_rules[i];
        if (filter_has_call(policy, rule->syscall)) continue;
        enum err err = filter_add(filter, policy, rule, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}
#endif

enum err sandbox_filter_calls(const struct sandbox_policy *policy, struct diag *diag)
{
    const uint32_t others = policy->others == SANDBOX_KILL_OTHERS ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW;
    /* Only the native architecture is in the filter: calls of any other, x32 included, kill. */
    AUTO(filter_release) scmp_filter_ctx filter = seccomp_init(others);
    if (filter == NULL) return diag_set(diag, ERR_MEMORY, "%s: sandbox: no memory for the filter", policy->process);
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0) result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* 2: a binary tree instead of a list; libseccomp 2.5 has it. */
    if (result == 0) result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result != 0) {
        return diag_set(diag, ERR_SYSTEM, "%s: sandbox: libseccomp: %s; install libseccomp 2.5 or newer",
                        policy->process, strerror(-result));
    }
    enum err err = filter_add_policy(filter, policy, diag);
#ifdef SANDBOX_SANITIZER
    if (err == ERR_OK) err = filter_add_sanitizer(filter, policy, diag);
#endif
    if (err != ERR_OK) return err;
    result = seccomp_load(filter);
    if (result == 0) return ERR_OK;
    return diag_set(diag, ERR_SYSTEM,
                    "%s: sandbox: the kernel does not take the filter: %s; run a kernel with CONFIG_SECCOMP_FILTER",
                    policy->process, strerror(-result));
}
