/* keyd leaves no core file, whoever raises its limit afterwards. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/keyd/peer.h"
#include "tests/unit/skip.h"

static const struct rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};

static int wait_for(pid_t pid)
{
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* Whether the kernel would write a core here at all: of a process that has nothing against it. */
static bool kernel_dumps(int number)
{
    char directory[] = "/tmp/keyward-core-XXXXXX", command[64];
    cr_assert_not_null(mkdtemp(directory));
    const pid_t child = fork();
    if (child == 0) {
        signal(number, SIG_DFL);
        if (chdir(directory) != 0 || setrlimit(RLIMIT_CORE, &no_limit) != 0) _exit(1);
        raise(number);
        _exit(2);
    }
    const int status = wait_for(child);
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
    return WIFSIGNALED(status) && WCOREDUMP(status);
}

static void die_of(int number)
{
    struct peer peer;
    struct rlimit before;
    if (!kernel_dumps(number))
        SKIP_ON_THIS_KERNEL("this kernel writes no core files (kernel.core_pattern, RLIMIT_CORE)");
    peer_start(&peer);
    struct link server = peer_grant(&peer, 1, PURPOSE_TLS_SERVER, 0, 0);
    peer_assert_signs(&peer, &server);
    cr_assert_eq(prlimit(peer.pid, RLIMIT_CORE, NULL, &before), 0);
    cr_assert_eq(before.rlim_max, 0);
    /* Not every container's root may: then keyd's own limit stands. */
    if (prlimit(peer.pid, RLIMIT_CORE, &no_limit, NULL) != 0) cr_assert_eq(errno, EPERM);
    cr_assert_eq(kill(peer.pid, number), 0);
    const int status = wait_for(peer.pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == number, "%#x", (unsigned)status);
    cr_assert_not(WCOREDUMP(status));
}

/* Raising a limit is root's, and a process that is not dumpable is nobody else's to ask about. */
Test(core, is_not_written_by_the_kernel)
{
    cr_assert_eq(geteuid(), 0, "needs root: to raise keyd's RLIMIT_CORE from outside");
    die_of(SIGABRT);
    die_of(SIGSEGV);
}
