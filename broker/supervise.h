/* The broker's loop. */
#ifndef KEYWARD_BROKER_SUPERVISE_H
#define KEYWARD_BROKER_SUPERVISE_H

#include "broker/broker.h"

/* supervise_run starts all processes and keeps them running until somebody says stop or the first start fails. All
 * children are gone when it returns; what it returns is what the broker exits with. */
MUST_CHECK enum err supervise_run(struct broker *broker);

#endif
