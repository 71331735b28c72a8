/* What has to be known of a browser: where it is, how it is told what to do, and how it is started with a handle. */
#ifndef KEYWARD_BROWSER_SHIM_BROWSER_H
#define KEYWARD_BROWSER_SHIM_BROWSER_H

#include "base/err.h"
#include "proto/link.h"

/* The descriptors that the browser's process has, where the module looks for them: its handle, and the channel on which it
 * gets another. */
#define BROWSER_HANDLE_FD 3
#define BROWSER_SUPPLY_FD 4

#define BROWSER_MAX_ARGUMENTS 32
#define BROWSER_MAX_ENVIRONMENT 16

/* A command line and an environment, NULL-terminated; the strings live in room or are the setup's. */
struct browser_command {
    const char *arguments[BROWSER_MAX_ARGUMENTS + 1];
    size_t num_arguments;
    const char *environment[BROWSER_MAX_ENVIRONMENT + 1];
    size_t num_environment;
    char room[4096];
    size_t room_used;
};

/* browser_check says whether there is such a browser. ERR_INPUT: not one that we know. ERR_NOT_FOUND: not installed. */
MUST_CHECK enum err browser_check(const char *name, struct diag *diag);

/* browser_find returns what is known of the browser, NULL if nothing is (browser_kind.h). */
struct browser_kind;
const struct browser_kind *browser_find(const char *name);

/* browser_command_init writes down how the browser is started for this setup, which outlives the command. */
void browser_command_init(struct browser_command *out, const struct browser_kind *kind, const struct shim_setup *setup);

/* browser_become turns the calling process, a fresh child, into the browser: it keeps the handle as BROWSER_HANDLE_FD, the
 * supply as BROWSER_SUPPLY_FD and nothing else, pins the handle to itself and executes. -1 for both: they are its gateway's, and
 * the browser gets neither. Returns only if that failed. report is closed by a successful execution; why there was none is
 * sent on it. */
_Noreturn void browser_become(const struct browser_command *command, int handle_fd, int supply_fd,
                              const struct link *report);

#endif
