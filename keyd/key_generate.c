#include "keyd/key_generate.h"

#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/nid.h>

EC_KEY *key_generate(enum key_role role)
{
    (void)role;
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key != NULL && EC_KEY_generate_key(key)) return key;
    EC_KEY_free(key);
    return NULL;
}
