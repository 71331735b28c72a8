/* A reload's first half: reading what the loader has opened, and looking whether a running system can be changed to it. */
#ifndef KEYWARD_BROKER_RELOAD_READ_H
#define KEYWARD_BROKER_RELOAD_READ_H

#include "base/err.h"

struct broker;
struct setting;

/* reload_read reads the configuration and all that it names out of the reload's files, and writes down what is another in its changes.
 * Nothing is changed by it. ERR_INPUT with a diagnostic: a file is no good, or what it says needs a restart; then there is
 * nothing to close in next. */
MUST_CHECK enum err reload_read(struct setting *next, struct broker *broker, struct diag *diag);

#endif
