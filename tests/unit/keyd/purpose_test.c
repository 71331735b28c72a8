/* What is signed, byte for byte: against RFC 8446's example, against what RFC 8422 says, and against what BoringSSL
 * itself wants signed in real handshakes. */
#include "keyd/purpose.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <string.h>

#include "tests/unit/keyd/handshake.h"

static const uint8_t p256_point[65] = {
    /* The generator (SEC 2, 2.4.2). */
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
    0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
    0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

static const uint8_t p384_point[97] = {
    /* The generator (SEC 2, 2.5.1). */
    0x04, 0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20, 0xad, 0x74,
    0x6e, 0x1d, 0x3b, 0x62, 0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0, 0x82, 0x54, 0x2a, 0x38, 0x55,
    0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c, 0x3a, 0x54, 0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7, 0x36, 0x17,
    0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f, 0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29, 0xf8, 0xf4, 0x1d,
    0xbd, 0x28, 0x9a, 0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0, 0x0a, 0x60, 0xb1, 0xce,
    0x1d, 0x7e, 0x81, 0x9d, 0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f};

static const uint8_t hash[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* RFC 8446, 4.4.3, its own example: "if the transcript hash was 32 bytes of 01". */
Test(purpose, tls13_server_content_is_the_rfcs_example)
{
    static const char want[] = "2020202020202020202020202020202020202020202020202020202020202020"
                               "2020202020202020202020202020202020202020202020202020202020202020"
                               "544c5320312e332c207365727665722043657274696669636174655665726966"
                               "79"
                               "00"
                               "0101010101010101010101010101010101010101010101010101010101010101";
    uint8_t content[PURPOSE_TLS13_CONTENT];
    size_t len;
    char hex[2 * PURPOSE_TLS13_CONTENT + 1];
    purpose_tls13_content(content, &len, PURPOSE_ROLE_SERVER, (struct bytes){hash, 32});
    bytes_hex(hex, (struct bytes){content, len});
    cr_assert_str_eq(hex, want);
}

Test(purpose, tls13_client_content_differs_in_one_word)
{
    uint8_t server[PURPOSE_TLS13_CONTENT], client[PURPOSE_TLS13_CONTENT];
    size_t server_len, client_len;
    purpose_tls13_content(server, &server_len, PURPOSE_ROLE_SERVER, (struct bytes){hash, 48});
    purpose_tls13_content(client, &client_len, PURPOSE_ROLE_CLIENT, (struct bytes){hash, 48});
    cr_assert_eq(server_len, 146);
    cr_assert_eq(client_len, 146);
    cr_assert_eq(memcmp(client + 64, "TLS 1.3, client CertificateVerify\0\1\1", 36), 0);
    memcpy(server + 64 + 9, "client", 6);
    cr_assert_eq(memcmp(server, client, 146), 0);
}

static enum refusal ask_tls13(uint16_t scheme, size_t len)
{
    struct digest digest;
    const struct sign_tls13 request = {.scheme = scheme, .transcript_hash = {hash, len}};
    return purpose_tls13(&digest, PURPOSE_ROLE_SERVER, &request);
}

/* RFC 8446, 4.2.3. */
static const struct {
    uint16_t scheme;
    size_t digest_len;
} schemes[] = {{0x0403, 32}, {0x0503, 48}, {0x0804, 32}, {0x0805, 48}, {0x0806, 64}};
#define NUM_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static bool is_scheme(unsigned scheme)
{
    for (size_t i = 0; i < NUM_SCHEMES; i++) {
        if (schemes[i].scheme == scheme) return true;
    }
    return false;
}

Test(purpose, tls13_takes_the_schemes_of_its_keys_and_two_lengths)
{
    for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
        const enum refusal want = is_scheme(scheme) ? REFUSAL_NONE : REFUSAL_SCHEME;
        cr_assert_eq(ask_tls13((uint16_t)scheme, 32), want, "%#x", scheme);
        cr_assert_eq(ask_tls13((uint16_t)scheme, 48), want, "%#x", scheme);
    }
    for (size_t len = 0; len <= 64; len++)
        if (len != 32 && len != 48) cr_assert_eq(ask_tls13(0x0403, len), REFUSAL_PARAMETERS, "%zu", len);
}

Test(purpose, a_digest_is_taken_in_its_schemes_length_alone)
{
    for (unsigned scheme = 0; scheme <= 0xffff; scheme++)
        if (!is_scheme(scheme)) cr_assert_eq(scheme_digest_len((uint16_t)scheme), 0, "%#x", scheme);
    for (size_t i = 0; i < NUM_SCHEMES; i++) {
        struct digest digest;
        for (size_t len = 0; len <= sizeof(hash); len++)
            cr_assert_eq(scheme_take(&digest, schemes[i].scheme, (struct bytes){hash, len}),
                         len == schemes[i].digest_len, "%#x, %zu", schemes[i].scheme, len);
    }
    struct digest digest;
    cr_assert_not(scheme_take(&digest, 0x0401, (struct bytes){hash, 32}));
    cr_assert_not(scheme_take(&digest, 0x0401, (struct bytes){hash, 0}));
}

Test(purpose, digests_the_content_with_the_schemes_hash)
{
    for (size_t i = 0; i < NUM_SCHEMES; i++) {
        uint8_t content[PURPOSE_TLS13_CONTENT], want[64];
        struct digest digest;
        size_t len;
        const struct sign_tls13 request = {.scheme = schemes[i].scheme, .transcript_hash = {hash, 32}};
        purpose_tls13_content(content, &len, PURPOSE_ROLE_CLIENT, request.transcript_hash);
        if (schemes[i].digest_len == 32) SHA256(content, len, want);
        if (schemes[i].digest_len == 48) SHA384(content, len, want);
        if (schemes[i].digest_len == 64) SHA512(content, len, want);
        cr_assert_eq(purpose_tls13(&digest, PURPOSE_ROLE_CLIENT, &request), REFUSAL_NONE);
        cr_assert_eq(digest.scheme, schemes[i].scheme);
        cr_assert(bytes_equal((struct bytes){digest.data, digest.len}, (struct bytes){want, schemes[i].digest_len}));
        cr_assert_eq(purpose_tls13(&digest, PURPOSE_ROLE_SERVER, &request), REFUSAL_NONE);
        cr_assert_neq(memcmp(digest.data, want, digest.len), 0);
    }
}

static struct sign_tls12_server tls12(uint16_t group, const uint8_t *point, size_t len)
{
    struct sign_tls12_server request = {.scheme = SCHEME_ECDSA_P256_SHA256, .group = group, .point = {point, len}};
    memset(request.client_random, 0xcc, 32);
    memset(request.server_random, 0x55, 32);
    return request;
}

/* RFC 8422, 5.4: ClientHello.random, ServerHello.random, curve_type, namedcurve, the point with its length. */
Test(purpose, tls12_content_is_randoms_and_parameters)
{
    uint8_t content[PURPOSE_TLS12_CONTENT];
    size_t len;
    const struct sign_tls12_server request = tls12(GROUP_SECP256R1, p256_point, sizeof(p256_point));
    purpose_tls12_content(content, &len, &request);
    cr_assert_eq(len, 64 + 4 + 65);
    cr_assert(content[0] == 0xcc && content[31] == 0xcc && content[32] == 0x55 && content[63] == 0x55);
    cr_assert_eq(memcmp(content + 64, "\x03\x00\x17\x41", 4), 0);
    cr_assert_eq(memcmp(content + 68, p256_point, 65), 0);
    /* Whatever the randoms are, it is not the content of a TLS 1.3 signature: that has a 'T' here. */
    cr_assert_neq(content[64], 'T');
}

static enum refusal ask_tls12(uint16_t group, const uint8_t *point, size_t len)
{
    struct digest digest;
    const struct sign_tls12_server request = tls12(group, point, len);
    return purpose_tls12_server(&digest, &request);
}

Test(purpose, tls12_takes_points_of_its_groups)
{
    cr_assert_eq(ask_tls12(GROUP_SECP256R1, p256_point, 65), REFUSAL_NONE);
    cr_assert_eq(ask_tls12(GROUP_SECP384R1, p384_point, 97), REFUSAL_NONE);
    cr_assert_eq(ask_tls12(GROUP_X25519, p384_point + 1, 32), REFUSAL_NONE);
}

Test(purpose, tls12_refuses_points_that_are_none)
{
    uint8_t point[LIMIT_ECDHE_POINT] = {0};
    cr_assert_eq(ask_tls12(GROUP_SECP256R1, point, 1), REFUSAL_PARAMETERS, "infinity");
    cr_assert_eq(ask_tls12(GROUP_SECP256R1, point, 65), REFUSAL_PARAMETERS);
    memcpy(point, p256_point, 65);
    for (size_t i = 1; i < 65; i++) {
        point[i] ^= 1;
        cr_assert_eq(ask_tls12(GROUP_SECP256R1, point, 65), REFUSAL_PARAMETERS, "off the curve in byte %zu", i);
        point[i] ^= 1;
    }
    point[0] = 0x02 + (point[64] & 1); /* a good point, compressed */
    cr_assert_eq(ask_tls12(GROUP_SECP256R1, point, 33), REFUSAL_PARAMETERS);
    point[0] = 0x06 + (point[64] & 1); /* hybrid (X9.62) */
    cr_assert_eq(ask_tls12(GROUP_SECP256R1, point, 65), REFUSAL_PARAMETERS);
    memcpy(point, p384_point, 97);
    point[96] ^= 1;
    cr_assert_eq(ask_tls12(GROUP_SECP384R1, point, 97), REFUSAL_PARAMETERS);
    memset(point + 1, 0xff, 64); /* coordinates beyond the field */
    point[0] = 0x04;
    cr_assert_eq(ask_tls12(GROUP_SECP256R1, point, 65), REFUSAL_PARAMETERS);
}

Test(purpose, tls12_refuses_other_lengths_groups_and_schemes)
{
    uint8_t p256_padded[97] = {0};
    memcpy(p256_padded, p256_point, 65);
    for (size_t len = 1; len <= 97; len++) {
        if (len != 65) cr_assert_eq(ask_tls12(GROUP_SECP256R1, p256_padded, len), REFUSAL_PARAMETERS, "%zu", len);
        if (len != 97) cr_assert_eq(ask_tls12(GROUP_SECP384R1, p384_point, len), REFUSAL_PARAMETERS, "%zu", len);
        if (len != 32) cr_assert_eq(ask_tls12(GROUP_X25519, p384_point, len), REFUSAL_PARAMETERS, "%zu", len);
    }
    for (unsigned group = 0; group <= 0xffff; group++) {
        if (group == GROUP_X25519) continue;
        cr_assert_eq(ask_tls12((uint16_t)group, p384_point, 32), REFUSAL_PARAMETERS, "group %#x", group);
    }
    struct digest digest;
    struct sign_tls12_server request = tls12(GROUP_SECP256R1, p256_point, 65);
    for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
        request.scheme = (uint16_t)scheme;
        const enum refusal want = is_scheme(scheme) ? REFUSAL_NONE : REFUSAL_SCHEME;
        cr_assert_eq(purpose_tls12_server(&digest, &request), want, "%#x", scheme);
    }
}

/* BoringSSL hands a private key's owner the whole of what it wants signed. It has to be what we build. */
Test(purpose, tls13_content_is_what_boringssl_signs)
{
    static const char *const groups[] = {"X25519", "P-256"};
    for (size_t i = 0; i < 2; i++) {
        const struct handshake handshake = handshake_run(0x0304, groups[i]);
        const struct bytes wanted[] = {{handshake.server_input, handshake.server_input_len},
                                       {handshake.client_input, handshake.client_input_len}};
        for (enum purpose_role role = PURPOSE_ROLE_SERVER; role <= PURPOSE_ROLE_CLIENT; role++) {
            cr_assert_gt(wanted[role].len, 98);
            uint8_t content[PURPOSE_TLS13_CONTENT];
            size_t len;
            purpose_tls13_content(content, &len, role, (struct bytes){wanted[role].data + 98, wanted[role].len - 98});
            cr_assert(bytes_equal((struct bytes){content, len}, wanted[role]));
        }
    }
}

Test(purpose, tls12_content_is_what_boringssl_signs)
{
    static const struct {
        const char *name;
        uint16_t group;
    } groups[] = {{"X25519:P-256", GROUP_X25519}, {"P-256", GROUP_SECP256R1}, {"P-384:P-256", GROUP_SECP384R1}};
    for (size_t i = 0; i < 3; i++) {
        const struct handshake handshake = handshake_run(0x0303, groups[i].name);
        const uint8_t *input = handshake.server_input;
        cr_assert_gt(handshake.server_input_len, 68);
        struct sign_tls12_server request = {.scheme = SCHEME_ECDSA_P256_SHA256,
                                            .group = groups[i].group,
                                            .point = {input + 68, handshake.server_input_len - 68}};
        memcpy(request.client_random, input, 32);
        memcpy(request.server_random, input + 32, 32);
        uint8_t content[PURPOSE_TLS12_CONTENT];
        struct digest digest;
        size_t len;
        cr_assert_eq(purpose_tls12_server(&digest, &request), REFUSAL_NONE, "%s", groups[i].name);
        purpose_tls12_content(content, &len, &request);
        cr_assert(bytes_equal((struct bytes){content, len}, (struct bytes){input, handshake.server_input_len}));
    }
}
