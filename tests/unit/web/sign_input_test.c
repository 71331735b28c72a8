/* The typed requests that are made of BoringSSL's sign inputs, and all that is not one. */
#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>

#include "web/sign_input.h"

enum { SCHEME = SSL_SIGN_ECDSA_SECP256R1_SHA256 };

static const char context13[] = "TLS 1.3, server CertificateVerify"; /* RFC 8446, 4.4.3 */

static size_t make13(uint8_t *out, const char *context, size_t hash_len)
{
    memset(out, 0x20, 64);
    memcpy(out + 64, context, strlen(context) + 1);
    size_t len = 64 + strlen(context) + 1;
    for (size_t i = 0; i < hash_len; i++) out[len + i] = (uint8_t)i;
    return len + hash_len;
}

static size_t make12(uint8_t *out, uint16_t group, size_t point_len)
{
    memset(out, 'c', 32);
    memset(out + 32, 's', 32);
    out[64] = 3;
    out[65] = (uint8_t)(group >> 8);
    out[66] = (uint8_t)group;
    out[67] = (uint8_t)point_len;
    memset(out + 68, 'p', point_len);
    return 68 + point_len;
}

static enum err parse(struct msg *msg, uint16_t version, const uint8_t *input, size_t len)
{
    return sign_input_parse(msg, version, SCHEME, (struct bytes){input, len});
}

Test(sign_input, takes_the_transcript_hash)
{
    uint8_t input[256];
    struct msg msg;
    const size_t lengths[] = {32, 48};
    for (size_t i = 0; i < 2; i++) {
        size_t len = make13(input, context13, lengths[i]);
        cr_assert_eq(parse(&msg, TLS1_3_VERSION, input, len), ERR_OK);
        cr_assert_eq(msg.kind, MSG_SIGN_TLS13_SERVER);
        cr_assert_eq(msg.sign_tls13_server.scheme, SCHEME);
        cr_assert_eq(msg.sign_tls13_server.transcript_hash.len, lengths[i]);
        cr_assert_eq(msg.sign_tls13_server.transcript_hash.data[1], 1);
    }
}

Test(sign_input, refuses_other_hash_lengths)
{
    uint8_t input[256];
    struct msg msg;
    for (size_t hash_len = 0; hash_len < 70; hash_len++) {
        size_t len = make13(input, context13, hash_len);
        enum err want = hash_len == 32 || hash_len == 48 ? ERR_OK : ERR_INPUT;
        cr_assert_eq(parse(&msg, TLS1_3_VERSION, input, len), want, "%zu", hash_len);
    }
}

Test(sign_input, refuses_any_change_to_the_prefix)
{
    uint8_t input[256];
    struct msg msg;
    size_t len = make13(input, context13, 32);
    for (size_t i = 0; i < 64 + sizeof context13; i++) {
        input[i] ^= 1;
        cr_assert_eq(parse(&msg, TLS1_3_VERSION, input, len), ERR_INPUT, "byte %zu", i);
        input[i] ^= 1;
    }
    cr_assert_eq(parse(&msg, TLS1_3_VERSION, input, len), ERR_OK);
}

Test(sign_input, refuses_the_client_context)
{
    uint8_t input[256];
    struct msg msg;
    size_t len = make13(input, "TLS 1.3, client CertificateVerify", 32);
    cr_assert_eq(parse(&msg, TLS1_3_VERSION, input, len), ERR_INPUT);
}

Test(sign_input, takes_ecdhe_parameters)
{
    uint8_t input[256];
    struct msg msg;
    size_t len = make12(input, GROUP_X25519, 32);
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len), ERR_OK);
    cr_assert_eq(msg.kind, MSG_SIGN_TLS12_SERVER);
    cr_assert_eq(msg.sign_tls12_server.group, GROUP_X25519);
    cr_assert_eq(msg.sign_tls12_server.client_random[31], 'c');
    cr_assert_eq(msg.sign_tls12_server.server_random[0], 's');
    cr_assert_eq(msg.sign_tls12_server.point.len, 32);
    cr_assert_eq(msg.sign_tls12_server.point.data[31], 'p');
}

Test(sign_input, holds_the_longest_point)
{
    uint8_t input[512];
    struct msg msg;
    size_t len = make12(input, 0x0019, LIMIT_ECDHE_POINT);
    cr_assert_eq(len, SIGN_INPUT_MAX);
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len), ERR_OK);
    len = make12(input, 0x0019, LIMIT_ECDHE_POINT + 1);
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len), ERR_INPUT);
}

Test(sign_input, refuses_other_parameters)
{
    uint8_t input[256];
    struct msg msg;
    size_t len = make12(input, GROUP_X25519, 32);
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len - 1), ERR_INPUT, "cut");
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len + 1), ERR_INPUT, "trailing byte");
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, 0), ERR_INPUT, "empty");
    input[64] = 1; /* explicit_prime */
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len), ERR_INPUT, "curve type");
    len = make12(input, GROUP_X25519, 0);
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len), ERR_INPUT, "no point");
}

/* A TLS 1.2 client chooses half of what stands before the parameters: it must not become a TLS 1.3 input. */
Test(sign_input, does_not_mix_the_versions)
{
    uint8_t input[256];
    struct msg msg;
    size_t len = make13(input, context13, 32);
    cr_assert_eq(parse(&msg, TLS1_2_VERSION, input, len), ERR_INPUT);
    len = make12(input, GROUP_X25519, 32);
    cr_assert_eq(parse(&msg, TLS1_3_VERSION, input, len), ERR_INPUT);
    cr_assert_eq(parse(&msg, TLS1_1_VERSION, input, len), ERR_INPUT);
}
