/* How the committer's thread gives up what it does not need. */
#ifndef KEYWARD_WEB_HTTP_COMMIT_CONFINE_H
#define KEYWARD_WEB_HTTP_COMMIT_CONFINE_H

#include "base/err.h"

/* commit_confine takes from the calling thread every capability and, by Landlock, the whole file system but making and
 * removing regular files beneath the directory. Descriptors that are open keep working. ERR_SYSTEM with a
 * diagnostic. */
MUST_CHECK enum err commit_confine(int directory_fd, struct diag *diag);

#endif
