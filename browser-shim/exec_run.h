/* The command's process: how it gets the handle, and how it is waited for. */
#ifndef KEYWARD_BROWSER_SHIM_EXEC_RUN_H
#define KEYWARD_BROWSER_SHIM_EXEC_RUN_H

#include <signal.h>
#include <sys/types.h>

#include "browser-shim/exec_options.h"

/* The descriptors that the command has, where the module looks for them: its handle, and something that is not the channel on
 * which a browser gets others. */
#define EXEC_HANDLE_FD 3
#define EXEC_NO_SUPPLY_FD 4

struct exec_process {
    pid_t pid;
    sigset_t former; /* which signals were blocked before */
};

/* exec_run_check says whether the descriptors are free that the command will have. ERR_INPUT. */
MUST_CHECK enum err exec_run_check(struct diag *diag);

/* exec_run_start executes the command with the handle, pinned as the options say. Once it returns ERR_OK the command runs, and
 * the signals that are meant for it wait for exec_run_wait. handle_fd stays the caller's. */
MUST_CHECK enum err exec_run_start(struct exec_process *out, const struct exec_options *options, int handle_fd,
                                   struct diag *diag);

/* exec_run_wait passes signals on until the command has ended, and returns its status as wait(2) gives it. expired is called
 * once, if the handle's time is over before. */
int exec_run_wait(const struct exec_process *process, const struct exec_options *options,
                  void (*expired)(const void *context), const void *context);

/* exec_run_end ends this process as the command ended: by its signal, or with its exit code. */
_Noreturn void exec_run_end(const struct exec_process *process, int status);

#endif
