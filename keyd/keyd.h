/* keyd as a whole: its loop, its channel to the broker, its keys. One thread; nothing blocks. */
#ifndef KEYWARD_KEYD_KEYD_H
#define KEYWARD_KEYD_KEYD_H

#include "base/err.h"

struct keyd;

/* keyd_new makes everything that has to be made before the sandbox is entered: the loop, BoringSSL's random generator,
 * its tables. To be called on the secret stack. broker_fd stays the caller's. ERR_MEMORY or ERR_SYSTEM with a
 * diagnostic. */
MUST_CHECK enum err keyd_new(struct keyd **out, int broker_fd, struct diag *diag);
void keyd_free(struct keyd *keyd);

/* keyd_run serves until the broker says stop or is gone. ERR_OK, or why the keys could not be made (the broker has been
 * told), or ERR_MALFORMED if the broker does not speak the protocol; each with a diagnostic. */
MUST_CHECK enum err keyd_run(struct keyd *keyd, struct diag *diag);

/* keyd_report_failure tells the broker why keyd ends. */
void keyd_report_failure(int broker_fd, enum err err, const struct diag *diag);

#endif
