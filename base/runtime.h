/* The runtime directory: where a running broker's control socket is. */
#ifndef KEYWARD_BASE_RUNTIME_H
#define KEYWARD_BASE_RUNTIME_H

#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

#define RUNTIME_CONTROL_SOCKET "control"

/* runtime_default_dir writes the directory that is used when none is given: /run/keyward for root, otherwise
 * $XDG_RUNTIME_DIR/keyward, otherwise /tmp/keyward-UID. */
MUST_CHECK enum err runtime_default_dir(char *out, size_t out_len, struct diag *diag);

/* runtime_make_dir makes dir with mode 0700, or checks the one that is there: a directory, not a link, owned by us,
 * nobody else let in. */
MUST_CHECK enum err runtime_make_dir(const char *dir, struct diag *diag);

/* runtime_connect connects to the control socket in dir and checks that its server runs as us or as root.
 * ERR_NOT_FOUND: no broker is running there. */
MUST_CHECK enum err runtime_connect(int *out_fd, const char *dir, struct diag *diag);

#endif
