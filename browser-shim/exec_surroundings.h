/* What a command finds that runs with a handle: a private directory, which it is told of by environment variables. Nothing in
 * it is secret. */
#ifndef KEYWARD_BROWSER_SHIM_EXEC_SURROUNDINGS_H
#define KEYWARD_BROWSER_SHIM_EXEC_SURROUNDINGS_H

#include <stdbool.h>

#include "browser-shim/client_handle.h"

struct exec_surroundings {
    char dir[LIMIT_PATH]; /* empty: there is none */
};

/* exec_surroundings_make makes the directory for handle and says in this process's environment where things are. Remove it
 * with exec_surroundings_remove, also after an error. */
MUST_CHECK enum err exec_surroundings_make(struct exec_surroundings *out, const struct client_handle *handle,
                                           bool with_p11_kit, struct diag *diag);

/* exec_surroundings_remove removes the directory and whatever the command has left in it. */
void exec_surroundings_remove(struct exec_surroundings *surroundings);

#endif
