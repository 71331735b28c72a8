/* What the command-line client may do once it is connected. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_SANDBOX_POLICY_H
#define KEYWARD_BROWSER_SHIM_CLIENT_SANDBOX_POLICY_H

#include "base/sandbox.h"

extern const struct sandbox_policy client_sandbox_policy;

#endif
