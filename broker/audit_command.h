/* broker audit verify, and broker audit show: a file, read with no more rights than it takes. */
#ifndef KEYWARD_BROKER_AUDIT_COMMAND_H
#define KEYWARD_BROKER_AUDIT_COMMAND_H

#include "base/err.h"

/* audit_command obeys what stands behind "broker audit". ERR_INPUT: the command line is wrong, or the log is not as it was
 * written, or parts of it are covered by no head; the diagnostic says which. */
MUST_CHECK enum err audit_command(int argc, char **argv, struct diag *diag);

#endif
