/* Where private keys come from. Alone in its file, so that a test build can put a published test key in its place and
 * then search every other process's memory for it. */
#ifndef KEYWARD_KEYD_KEY_GENERATE_H
#define KEYWARD_KEYD_KEY_GENERATE_H

#include <openssl/base.h>

/* The keys that keyd holds, and their certificates. */
enum key_role { KEY_CA, KEY_SERVER, KEY_CLIENT, KEY_NUM_ROLES };

/* key_generate returns a new P-256 key for the role, which the caller frees, or NULL. */
EC_KEY *key_generate(enum key_role role);

#endif
