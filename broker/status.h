/* What is known about the running system, for SYSTEM_STATUS. */
#ifndef KEYWARD_BROKER_STATUS_H
#define KEYWARD_BROKER_STATUS_H

#include <stddef.h>

#include "proto/message.h"

struct broker;
struct handles;
struct status;

/* status_collect looks at every process in /proc and adds up the counters that were told. NULL: no memory. */
struct status *status_collect(struct broker *broker);
void status_free(struct status *status);

/* status_value is good until status_free, and until the broker's state changes. */
const struct system_status *status_value(const struct status *status);
/* status_handles fills in the handles that somebody holds with a number above after, in order, at most max, and returns
 * how many. Their texts are good until the table changes. */
size_t status_handles(struct handle_status *out, size_t max, struct handles *handles, uint64_t after);

#endif
