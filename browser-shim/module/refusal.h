/* What a browser is told when keyd refuses: a PKCS #11 error for every reason. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_REFUSAL_H
#define KEYWARD_BROWSER_SHIM_MODULE_REFUSAL_H

#include "browser-shim/module/cryptoki.h"
#include "proto/message.h"

/* refusal_result returns what C_Sign is to return: never CKR_OK, and nothing after which a browser would ask for a PIN or
 * try again by itself (PKCS #11 2.40, 11.1). NSS and Chromium take each for a failed client authentication. */
ck_rv_t refusal_result(enum refusal refusal);

#endif
