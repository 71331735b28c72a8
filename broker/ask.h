/* The subcommands that ask a running broker over its control socket. */
#ifndef KEYWARD_BROKER_ASK_H
#define KEYWARD_BROKER_ASK_H

#include "broker/command.h"

/* ask_broker puts the command's question and prints the answer on standard output. ERR_NOT_FOUND: no broker is
 * running, or it does not have what was named. */
MUST_CHECK enum err ask_broker(const struct command *command, struct diag *diag);

#endif
