/* FOR TESTS ONLY: a keyd whose server and client key is a published test vector (RFC 6979, A.2.5), so that a test can
 * search the memory of every other process for it. Anybody can sign with this key. No release contains this file. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/nid.h>

#include "keyd/key_generate.h"

static const uint8_t published_x[32] = {0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21,
                                        0x57, 0x67, 0xb1, 0xd6, 0x93, 0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8,
                                        0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21};

/* The public key is computed from the private one, U = xG, as the RFC lists it. */
static EC_KEY *known_key(void)
{
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *x = BN_bin2bn(published_x, sizeof(published_x), NULL);
    EC_POINT *public_key = key != NULL ? EC_POINT_new(EC_KEY_get0_group(key)) : NULL;
    const int made = x != NULL && public_key != NULL && EC_KEY_set_private_key(key, x) &&
                     EC_POINT_mul(EC_KEY_get0_group(key), public_key, x, NULL, NULL, NULL) &&
                     EC_KEY_set_public_key(key, public_key);
    EC_POINT_free(public_key);
    BN_clear_free(x);
    if (made) return key;
    EC_KEY_free(key);
    return NULL;
}

/* The CA's key stays random: nothing but this launch's leaves is ever signed by it. */
EC_KEY *key_generate(enum key_role role)
{
    if (role != KEY_CA) return known_key();
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key != NULL && EC_KEY_generate_key(key)) return key;
    EC_KEY_free(key);
    return NULL;
}
