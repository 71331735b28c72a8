/* FOR SANITIZER BUILDS ONLY (--config=asan, --config=fuzz): the one place where a build widens a sandbox. The file is
 * compiled in by those configurations and by nothing at run time; no other build contains it. */
#include <sanitizer/common_interface_defs.h>
#include <sys/syscall.h>

#include "base/sandbox_rules.h"
#include "base/sandbox_steps.h"

#if defined(__has_feature)
#define SANITIZER_CLANG __has_feature(address_sanitizer)
#else
#define SANITIZER_CLANG 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !SANITIZER_CLANG
#error "a build without a sanitizer must not contain this file"
#endif

const struct sandbox_rule sandbox_sanitizer_rules[] = {
    SANDBOX_ROW(sched_yield, "the runtime's spin locks"),
    SANDBOX_ROW(getpid, "the runtime's reports name the process"),
    SANDBOX_ROW(gettid, "the runtime's allocator and reports name the thread"),
    SANDBOX_ROW(sigaltstack, "the runtime's stack for fatal signals, given back when a thread ends"),
    SANDBOX_ROW(rt_sigprocmask, "the runtime holds signals back while it reports"),
    SANDBOX_ROW(rt_sigaction, "the runtime's own handlers for fatal signals"),
    SANDBOX_ROW(madvise, "the runtime's shadow memory"),
    SANDBOX_ROW(munmap, "the runtime's allocator"),
    SANDBOX_ROW_IF(mmap, "the runtime's allocator", SANDBOX_WITHOUT(2, PROT_EXEC)),
    SANDBOX_ROW_ENOSYS(open, "a report looks for the process's mappings, and takes those that were read at the start"),
};

const size_t sandbox_num_sanitizer_rules = sizeof(sandbox_sanitizer_rules) / sizeof(sandbox_sanitizer_rules[0]);

/* The runtime looks for this function. Looking for leaks needs clone and ptrace at exit, names for a report's addresses a
 * program (llvm-symbolizer), its colours an ioctl, which no sandbox allows. Reports have module+offset instead of lines. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:symbolize=0:color=never";
}

/* For the reports: the mappings, while there still is a /proc. */
__attribute__((constructor)) static void sandbox_sanitizer_prepare(void)
{
    __sanitizer_sandbox_arguments nothing = {0};
    __sanitizer_sandbox_on_notify(&nothing);
}
