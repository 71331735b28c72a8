/* NIST's examples for FIPS 180-4 (SHA1.pdf), and the lengths at which the padding changes. */
#include "browser-shim/module/sha1.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *message, size_t len, const char *hex)
{
    uint8_t digest[SHA1_DIGEST];
    char text[2 * SHA1_DIGEST + 1];
    sha1_digest(digest, (struct bytes){(const uint8_t *)message, len});
    bytes_hex(text, (struct bytes){digest, sizeof digest});
    cr_assert_str_eq(text, hex);
}

Test(sha1, examples)
{
    expect("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

Test(sha1, a_million_letters)
{
    size_t len = 1000000;
    char *message = malloc(len);
    cr_assert_not_null(message);
    memset(message, 'a', len);
    expect(message, len, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(message);
}

Test(sha1, agrees_with_another_at_every_length)
{
    uint8_t message[260];
    uint8_t ours[SHA1_DIGEST];
    uint8_t theirs[SHA1_DIGEST];
    for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof message; len++) {
        sha1_digest(ours, (struct bytes){message, len});
        SHA1(message, len, theirs);
        cr_assert_arr_eq(ours, theirs, SHA1_DIGEST, "%zu", len);
    }
}
