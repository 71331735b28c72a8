/* Ties a handle that signs digests to a process, by the kernel's word. */
#ifndef KEYWARD_BROWSER_SHIM_PIN_H
#define KEYWARD_BROWSER_SHIM_PIN_H

#include "base/err.h"

/* pin_handle has keyd tie the handle to the calling process, for good. Executing does not change which process this is.
 * whom is the process's name in a failure's text. ERR_DENIED: it is somebody's already, or has ended. */
MUST_CHECK enum err pin_handle(int handle_fd, const char *whom, struct diag *diag);

#endif
