#include "browser-shim/module/der.h"

#include <criterion/criterion.h>
#include <string.h>

#define BYTES(...) ((struct bytes){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

/* The smallest thing that has a certificate's shape: empty names, a key on P-256 without a point. */
#define VERSION 0xa0, 3, 0x02, 1, 2
#define SERIAL 0x02, 1, 5
#define EMPTY 0x30, 0
#define P256                                                                                                          \
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, \
        0x01, 0x07
#define KEY 0x30, 0x17, P256, 0x03, 0
#define TBS 0x30, 0x29, VERSION, SERIAL, EMPTY, EMPTY, EMPTY, EMPTY, KEY
#define CERTIFICATE 0x30, 0x2f, TBS, EMPTY, 0x03, 0

static enum err read_certificate(struct bytes der)
{
    struct der_certificate out;
    return der_read_certificate(&out, der);
}

Test(der, finds_a_certificates_fields)
{
    const uint8_t der[] = {CERTIFICATE};
    struct der_certificate out;
    cr_assert_eq(der_read_certificate(&out, (struct bytes){der, sizeof der}), ERR_OK);
    cr_assert_eq(out.key, DER_KEY_P256);
    cr_assert(bytes_equal(out.curve, BYTES(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07)));
    cr_assert(bytes_equal(out.serial, BYTES(SERIAL)));
    cr_assert_eq(out.serial.data, der + 9);
    cr_assert_eq(out.issuer.data, der + 14);
    cr_assert_eq(out.subject.data, der + 18);
    cr_assert(bytes_equal(out.subject, BYTES(EMPTY)));
}

Test(der, takes_a_version_1_certificate)
{
    cr_assert_eq(
        read_certificate(BYTES(0x30, 0x2a, 0x30, 0x24, SERIAL, EMPTY, EMPTY, EMPTY, EMPTY, KEY, EMPTY, 0x03, 0)),
        ERR_OK);
}

Test(der, sees_another_kind_of_key)
{
    struct der_certificate out;
    uint8_t der[] = {CERTIFICATE};
    der[sizeof der - 7] ^= 1; /* the curve */
    cr_assert_eq(der_read_certificate(&out, (struct bytes){der, sizeof der}), ERR_OK);
    cr_assert_eq(out.key, DER_KEY_OTHER);
}

#define P384 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22

Test(der, sees_p384)
{
    struct der_certificate out;
    cr_assert_eq(der_read_certificate(&out, BYTES(0x30, 0x27, 0x30, 0x21, SERIAL, EMPTY, EMPTY, EMPTY, EMPTY, 0x30,
                                                  0x14, P384, 0x03, 0, EMPTY, 0x03, 0)),
                 ERR_OK);
    cr_assert_eq(out.key, DER_KEY_P384);
    cr_assert(bytes_equal(out.curve, BYTES(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22)));
}

#define RSA 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00

/* A certificate whose key is RSA's with these 10 octets as its BIT STRING. */
static enum der_key rsa_kind(struct der_certificate *out, struct bytes key)
{
    uint8_t der[] = {0x30, 0x2e, 0x30, 0x28, SERIAL, EMPTY, EMPTY, EMPTY, EMPTY, 0x30, 0x1b,  RSA,  0x03, 10,
                     0,    0,    0,    0,    0,      0,     0,     0,     0,     0,    EMPTY, 0x03, 0};
    static uint8_t kept[sizeof der];
    cr_assert_eq(key.len, 10);
    memcpy(der + sizeof der - 14, key.data, key.len);
    memcpy(kept, der, sizeof der);
    cr_assert_eq(der_read_certificate(out, (struct bytes){kept, sizeof kept}), ERR_OK);
    return out->key;
}

Test(der, reads_an_rsa_keys_numbers)
{
    struct der_certificate out;
    cr_assert_eq(rsa_kind(&out, BYTES(0, 0x30, 7, 0x02, 2, 0, 0x81, 0x02, 1, 3)), DER_KEY_RSA);
    cr_assert(bytes_equal(out.modulus, BYTES(0x81)), "without the zero that keeps it positive");
    cr_assert(bytes_equal(out.exponent, BYTES(3)));
    cr_assert_eq(rsa_kind(&out, BYTES(1, 0x30, 7, 0x02, 2, 0, 0x81, 0x02, 1, 3)), DER_KEY_OTHER, "unused bits");
    cr_assert_eq(rsa_kind(&out, BYTES(0, 0x30, 7, 0x02, 2, 0, 0x01, 0x02, 1, 3)), DER_KEY_OTHER, "too many octets");
    cr_assert_eq(rsa_kind(&out, BYTES(0, 0x30, 7, 0x02, 2, 0x80, 1, 0x02, 1, 3)), DER_KEY_OTHER, "negative");
    cr_assert_eq(rsa_kind(&out, BYTES(0, 0x30, 6, 0x02, 1, 0x71, 0x02, 1, 3, 0)), DER_KEY_OTHER, "something after it");
    cr_assert_eq(rsa_kind(&out, BYTES(0, 0x30, 7, 0x02, 5, 0, 0x81, 0x02, 1, 3)), DER_KEY_OTHER, "one number");
    cr_assert_eq(rsa_kind(&out, BYTES(0, 0x31, 7, 0x02, 2, 0, 0x81, 0x02, 1, 3)), DER_KEY_OTHER, "another type");
}

Test(der, refuses_every_truncation_and_extension)
{
    const uint8_t der[] = {CERTIFICATE, 0};
    for (size_t len = 0; len <= sizeof der; len++) {
        cr_assert_eq(read_certificate((struct bytes){der, len}) == ERR_OK, len == sizeof der - 1, "%zu", len);
    }
}

Test(der, refuses_lengths_that_are_not_der)
{
    /* Indefinite; long form for a short length; long form with a leading zero; four octets; beyond the end. */
    cr_assert_eq(read_certificate(BYTES(0x30, 0x80, TBS, EMPTY, 0x03, 0, 0, 0)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x81, 0x2f, TBS, EMPTY, 0x03, 0)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x82, 0x00, 0x2f, TBS, EMPTY, 0x03, 0)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x84, 0x01, 0, 0, 0, TBS, EMPTY, 0x03, 0)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x30, TBS, EMPTY, 0x03, 0)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x82, 0xff, 0xff, TBS, EMPTY, 0x03, 0)), ERR_MALFORMED);
}

Test(der, refuses_fields_in_the_wrong_place)
{
    cr_assert_eq(read_certificate(BYTES(0x31, 0x2f, TBS, EMPTY, 0x03, 0)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x2d, TBS, 0x03, 0, EMPTY)), ERR_MALFORMED);
    cr_assert_eq(read_certificate(BYTES(0x30, 0x2d, TBS, EMPTY, 0x03, 0, EMPTY)), ERR_MALFORMED);
}

/* ---- Signatures ---- */

static enum err read_signature(struct bytes der)
{
    uint8_t out[64];
    return der_read_signature(out, sizeof out, der);
}

Test(der, fills_short_numbers_up)
{
    uint8_t out[64];
    uint8_t wanted[64] = {[31] = 0x01, [62] = 0x80, [63] = 0x02};
    memset(out, 0xee, sizeof out);
    cr_assert_eq(der_read_signature(out, sizeof out, BYTES(0x30, 8, 0x02, 1, 1, 0x02, 3, 0, 0x80, 2)), ERR_OK);
    cr_assert_arr_eq(out, wanted, sizeof out);
}

Test(der, takes_the_longest_numbers)
{
    uint8_t der[72] = {0x30, 70, 0x02, 33, 0, [37] = 0x02, [38] = 33};
    uint8_t out[64];
    memset(der + 5, 0xaa, 32);
    memset(der + 40, 0xbb, 32);
    cr_assert_eq(der_read_signature(out, sizeof out, (struct bytes){der, sizeof der}), ERR_OK);
    cr_assert(out[0] == 0xaa && out[31] == 0xaa && out[32] == 0xbb && out[63] == 0xbb);
    der[4] = 1; /* 2^256 and more */
    cr_assert_eq(der_read_signature(out, sizeof out, (struct bytes){der, sizeof der}), ERR_MALFORMED);
}

/* P-384's, whose numbers have 48 bytes each. */
Test(der, fills_up_to_the_length_asked_for)
{
    uint8_t der[106] = {0x30, 104, 0x02, 49, 0, [53] = 0x02, [54] = 49};
    uint8_t out[96];
    memset(der + 5, 0xaa, 48);
    memset(der + 56, 0xbb, 48);
    const struct bytes longest = {der, 104};
    der[1] = 102;
    cr_assert_eq(der_read_signature(out, sizeof out, longest), ERR_OK);
    cr_assert(out[0] == 0xaa && out[47] == 0xaa && out[48] == 0xbb && out[95] == 0xbb);
    cr_assert_eq(der_read_signature(out, 94, longest), ERR_MALFORMED);
    cr_assert_eq(der_read_signature(out, sizeof out, BYTES(0x30, 6, 0x02, 1, 1, 0x02, 1, 2)), ERR_OK);
    cr_assert(out[0] == 0 && out[46] == 0 && out[47] == 1 && out[94] == 0 && out[95] == 2);
}

Test(der, refuses_numbers_that_are_none)
{
    cr_assert_eq(read_signature(BYTES(0x30, 6, 0x02, 1, 1, 0x02, 1, 1)), ERR_OK);
    cr_assert_eq(read_signature(BYTES(0x30, 6, 0x02, 1, 0, 0x02, 1, 1)), ERR_MALFORMED, "zero");
    cr_assert_eq(read_signature(BYTES(0x30, 6, 0x02, 1, 0x80, 0x02, 1, 1)), ERR_MALFORMED, "negative");
    cr_assert_eq(read_signature(BYTES(0x30, 7, 0x02, 2, 0, 1, 0x02, 1, 1)), ERR_MALFORMED, "not the fewest octets");
    cr_assert_eq(read_signature(BYTES(0x30, 5, 0x02, 0, 0x02, 1, 1)), ERR_MALFORMED, "empty");
    cr_assert_eq(read_signature(BYTES(0x30, 3, 0x02, 1, 1)), ERR_MALFORMED, "only one");
    cr_assert_eq(read_signature(BYTES(0x30, 9, 0x02, 1, 1, 0x02, 1, 1, 0x02, 1, 1)), ERR_MALFORMED, "three");
    cr_assert_eq(read_signature(BYTES(0x30, 6, 0x02, 1, 1, 0x02, 1, 1, 0)), ERR_MALFORMED, "something after it");
    cr_assert_eq(read_signature(BYTES(0x30, 6, 0x02, 1, 1, 0x03, 1, 1)), ERR_MALFORMED, "another type");
    cr_assert_eq(read_signature((struct bytes){0}), ERR_MALFORMED, "nothing");
}
