/* What a person can do about a signature that keyd refused. */
#ifndef KEYWARD_BROWSER_SHIM_CLIENT_REFUSAL_H
#define KEYWARD_BROWSER_SHIM_CLIENT_REFUSAL_H

#include "proto/message.h"

/* client_refusal_remedy returns what to do, to follow refusal_text in a sentence. Never NULL, never empty. */
const char *client_refusal_remedy(enum refusal refusal);

#endif
