/* What the shim, the gateway, and the launcher, and with it the browser, may ask of the kernel. */
#ifndef KEYWARD_BROWSER_SHIM_SANDBOX_POLICY_H
#define KEYWARD_BROWSER_SHIM_SANDBOX_POLICY_H

#include "base/sandbox.h"

extern const struct sandbox_policy shim_policy;
extern const struct sandbox_policy gateway_policy; /* on top of the launcher's */
extern const struct sandbox_policy launcher_policy;

#endif
