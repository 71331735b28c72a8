/* What a web worker may do, and nothing else. */
#ifndef KEYWARD_WEB_SANDBOX_POLICY_H
#define KEYWARD_WEB_SANDBOX_POLICY_H

#include "base/sandbox.h"

extern const struct sandbox_policy web_sandbox_policy;

#endif
