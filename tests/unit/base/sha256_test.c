/* NIST's examples for FIPS 180-4 (SHA256.pdf), the lengths at which the padding changes, and pieces of every size. */
#include "base/sha256.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *message, size_t len, const char *hex)
{
    uint8_t digest[SHA256_BYTES];
    char text[2 * SHA256_BYTES + 1];
    sha256_of(digest, (struct bytes){(const uint8_t *)message, len});
    bytes_hex(text, (struct bytes){digest, sizeof digest});
    cr_assert_str_eq(text, hex);
}

Test(sha256, examples)
{
    expect(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(sha256, a_million_letters)
{
    size_t len = 1000000;
    char *message = malloc(len);
    cr_assert_not_null(message);
    memset(message, 'a', len);
    expect(message, len, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(message);
}

Test(sha256, agrees_with_another_at_every_length)
{
    uint8_t message[260], ours[SHA256_BYTES], theirs[SHA256_BYTES];
    for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof message; len++) {
        sha256_of(ours, (struct bytes){message, len});
        SHA256(message, len, theirs);
        cr_assert_arr_eq(ours, theirs, SHA256_BYTES, "%zu", len);
    }
}

Test(sha256, pieces_are_the_whole)
{
    uint8_t message[260], ours[SHA256_BYTES], theirs[SHA256_BYTES];
    for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 3);
    SHA256(message, sizeof message, theirs);
    for (size_t piece = 1; piece <= sizeof message; piece++) {
        struct sha256 hash;
        sha256_init(&hash);
        for (size_t at = 0; at < sizeof message; at += piece) {
            const size_t len = at + piece <= sizeof message ? piece : sizeof message - at;
            sha256_add(&hash, (struct bytes){message + at, len});
        }
        sha256_finish(ours, &hash);
        cr_assert_arr_eq(ours, theirs, SHA256_BYTES, "%zu", piece);
    }
}
