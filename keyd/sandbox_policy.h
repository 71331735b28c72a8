/* What keyd may still do once it holds keys: compute, and talk on channels that it is given. */
#ifndef KEYWARD_KEYD_SANDBOX_POLICY_H
#define KEYWARD_KEYD_SANDBOX_POLICY_H

#include "base/sandbox.h"

extern const struct sandbox_policy keyd_sandbox_policy;

#endif
