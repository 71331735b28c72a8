/* The subcommands that start something, or try whether it could be started. */
#ifndef KEYWARD_BROKER_RUN_H
#define KEYWARD_BROKER_RUN_H

#include "broker/config.h"

/* run_system runs the whole until it is told to stop. argc and argv are what config came from, and are read again at a reload. begun: when main began, on clock_monotonic_ms's scale. With an
 * empty diagnostic the error has been logged. */
MUST_CHECK enum err run_system(const struct config *config, int argc, char **argv, uint64_t begun, struct diag *diag);

/* run_check opens, binds and reads all that a run would, and lets it go again. */
MUST_CHECK enum err run_check(struct config *config, struct diag *diag);

#endif
