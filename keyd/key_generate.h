/* Where private keys come from. Alone in its file, so that a test build can put a published test key in its place and
 * then search every other process's memory for it. */
#ifndef KEYWARD_KEYD_KEY_GENERATE_H
#define KEYWARD_KEYD_KEY_GENERATE_H

#include <openssl/base.h>
#include <stdint.h>

#include "base/limits.h"

/* The keys that keyd holds, and their certificates. KEY_SERVER is the default server's; those of further server certificates
 * (key_of_server) come behind the roles. */
enum key_role { KEY_CA, KEY_SERVER, KEY_CLIENT, KEY_NUM_ROLES, KEY_NUM = KEY_NUM_ROLES + LIMIT_SERVER_CERTIFICATES };

/* key_of_server returns whose key a server certificate's number stands for, 0 to LIMIT_SERVER_CERTIFICATES. */
static inline enum key_role key_of_server(uint32_t number)
{
    return number == 0 ? KEY_SERVER : (enum key_role)(KEY_NUM_ROLES + number - 1);
}

/* key_generate returns a new P-256 key for the role, which the caller frees, or NULL. */
EC_KEY *key_generate(enum key_role role);

#endif
