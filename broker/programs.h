/* The programs' files, found beside the broker's own and opened before anything is given up. */
#ifndef KEYWARD_BROKER_PROGRAMS_H
#define KEYWARD_BROKER_PROGRAMS_H

#include <stdbool.h>

#include "base/err.h"
#include "proto/message.h"

struct programs {
    int fds[PROGRAM_NUM]; /* O_PATH; -1: not opened */
    int module;           /* the PKCS#11 module, readable; -1: not opened */
};

/* programs_open finds the files in dir/FILE (an installation) or dir/../PACKAGE/FILE (a build tree). A NULL dir is the
 * folder of the running executable. with_browser: the shim and the module too.
 * ERR_SYSTEM with the file that is missing. */
MUST_CHECK enum err programs_open(struct programs *out, const char *dir, bool with_browser, struct diag *diag);

void programs_close(struct programs *programs);

#endif
