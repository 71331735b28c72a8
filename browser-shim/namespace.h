/* The browser's surroundings, made from inside new namespaces: it has its own user, processes, network and mounts, and
 * of the host it keeps the programs and fonts, read-only, and its screen.
 *
 * Only the launcher calls these, as process 1 of the new namespaces, in the order given here, before anything else
 * runs in them. */
#ifndef KEYWARD_BROWSER_SHIM_NAMESPACE_H
#define KEYWARD_BROWSER_SHIM_NAMESPACE_H

#include <sys/types.h>

#include "base/err.h"
#include "browser-shim/browser_kind.h"
#include "proto/message.h"

/* namespace_clone is fork into new namespaces; out_pidfd is set in the parent. Returns 0 in the child, -1 and errno if
 * it failed. The process must have one thread. With an X display the IPC namespace stays the host's: the X server and
 * its client share memory by it (MIT-SHM). */
pid_t namespace_clone(int *out_pidfd, const struct shim_setup *setup);

/* namespace_advice says what to change on the machine when namespace_clone failed with that errno. */
const char *namespace_advice(int error);

/* namespace_map_user gives the process the ids that it had outside, and no others exist. */
MUST_CHECK enum err namespace_map_user(uid_t uid, gid_t gid, struct diag *diag);

/* namespace_listen brings the loopback up and listens on 127.0.0.1:port in there. */
MUST_CHECK enum err namespace_listen(int *out_fd, uint16_t port, struct diag *diag);

/* namespace_cover makes the file system what the browser may see: read-only, with its own /proc, and private empty
 * directories in place of those where users keep things and services listen. The module's copy, the way to the display
 * and its key are put where browser-shim/layout.h says, and a kiosk's policy where this kind of browser looks for it. */
MUST_CHECK enum err namespace_cover(const struct shim_setup *setup, const struct browser_kind *kind, const char *origin,
                                    int module_fd, struct diag *diag);

/* namespace_drop_capabilities gives up what all this needed. */
MUST_CHECK enum err namespace_drop_capabilities(struct diag *diag);

#endif
