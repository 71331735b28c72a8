/* The test build of keyd has the published key (RFC 6979, A.2.5), and the real one does not. */
#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <string.h>

#include "tests/unit/keyd/peer.h"
#include "tests/unit/keyd/verify.h"

static const char published_public[] = "04"
                                       "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                       "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

static bool has_published_key(struct bytes der)
{
    X509 *certificate = verify_parse(der);
    EVP_PKEY *key = X509_get_pubkey(certificate);
    const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(key);
    uint8_t point[65];
    char hex[131];
    cr_assert_eq(EC_POINT_point2oct(EC_KEY_get0_group(ec), EC_KEY_get0_public_key(ec), POINT_CONVERSION_UNCOMPRESSED,
                                    point, sizeof(point), NULL),
                 65);
    bytes_hex(hex, (struct bytes){point, sizeof(point)});
    EVP_PKEY_free(key);
    X509_free(certificate);
    return strcmp(hex, published_public) == 0;
}

Test(known_key, is_in_the_test_build_alone)
{
    struct peer known, real;
    peer_spawn(&known, "tests/keyd_known_key/keyd");
    peer_setup(&known);
    peer_start(&real);
    cr_assert(has_published_key(known.identity.keyd_identity.server));
    cr_assert(has_published_key(known.identity.keyd_identity.client));
    cr_assert_not(has_published_key(known.identity.keyd_identity.ca));
    cr_assert_not(has_published_key(real.identity.keyd_identity.server));
    cr_assert_not(has_published_key(real.identity.keyd_identity.client));
    cr_assert_eq(verify_chain(known.identity.keyd_identity.client, known.identity.keyd_identity.ca,
                              X509_PURPOSE_SSL_CLIENT, NULL),
                 X509_V_OK);
    peer_stop(&known);
    peer_stop(&real);
}
