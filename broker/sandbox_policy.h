/* What the broker and its spawner may do. */
#ifndef KEYWARD_BROKER_SANDBOX_POLICY_H
#define KEYWARD_BROKER_SANDBOX_POLICY_H

#include "base/sandbox.h"

/* The broker: no process is started, no file made or written, no socket but pairs. Landlock leaves /proc to read and
 * the runtime directory. */
extern const struct sandbox_policy broker_policy;

/* The same broker with applications to connect to. Landlock leaves their TCP ports. */
extern const struct sandbox_policy broker_connecting_policy;

/* broker audit: reads the file that is open already, and writes to standard output. */
extern const struct sandbox_policy audit_policy;

/* The loader: opens files to read them, wherever they are, and sends on the channel that it has. It makes and writes nothing, starts and
 * signals nobody. It keeps the right to look at everybody's files, and to ask as another user whether that one may; where the
 * broker was started as root it has them, otherwise there is nothing to keep. */
extern const struct sandbox_policy loader_policy;

/* The spawner: its filter is inherited by all that it starts, the browser among them, so it lists what none of them
 * has any business with. Each of them puts its own sandbox on top. */
extern const struct sandbox_policy spawner_policy;

#endif
