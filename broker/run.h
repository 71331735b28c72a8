/* The subcommands that start something, or try whether it could be started. */
#ifndef KEYWARD_BROKER_RUN_H
#define KEYWARD_BROKER_RUN_H

#include "broker/config.h"

/* run_system runs the whole until it is told to stop. begun: when main began, on clock_monotonic_ms's scale. With an
 * empty diagnostic the error has been logged. */
MUST_CHECK enum err run_system(struct config *config, uint64_t begun, struct diag *diag);

/* run_check opens, binds and reads all that a run would, and lets it go again. */
MUST_CHECK enum err run_check(struct config *config, struct diag *diag);

#endif
