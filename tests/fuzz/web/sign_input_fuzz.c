/* The signer's parser: whatever it accepts, keyd would rebuild to exactly the bytes that were to be signed. */
#include <openssl/ssl.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "web/sign_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t rebuild_tls13(uint8_t *out, const struct sign_tls13 *sign)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";
    memset(out, ' ', 64);
    memcpy(out + 64, context, sizeof context);
    memcpy(out + 64 + sizeof context, sign->transcript_hash.data, sign->transcript_hash.len);
    return 64 + sizeof context + sign->transcript_hash.len;
}

static size_t rebuild_tls12(uint8_t *out, const struct sign_tls12_server *sign)
{
    memcpy(out, sign->client_random, 32);
    memcpy(out + 32, sign->server_random, 32);
    out[64] = 3;
    out[65] = (uint8_t)(sign->group >> 8);
    out[66] = (uint8_t)sign->group;
    out[67] = (uint8_t)sign->point.len;
    memcpy(out + 68, sign->point.data, sign->point.len);
    return 68 + sign->point.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t rebuilt[SIGN_INPUT_MAX];
    struct msg msg;
    if (size < 1) return 0;
    uint16_t version = (data[0] & 1) != 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    struct bytes input = {data + 1, size - 1};
    if (sign_input_parse(&msg, version, SSL_SIGN_ECDSA_SECP256R1_SHA256, input) != ERR_OK) return 0;
    CHECK(input.len <= SIGN_INPUT_MAX);
    CHECK(msg.kind == (version == TLS1_3_VERSION ? MSG_SIGN_TLS13_SERVER : MSG_SIGN_TLS12_SERVER));
    size_t len = version == TLS1_3_VERSION ? rebuild_tls13(rebuilt, &msg.sign_tls13_server)
                                           : rebuild_tls12(rebuilt, &msg.sign_tls12_server);
    CHECK(len == input.len && memcmp(rebuilt, input.data, len) == 0);
    return 0;
}
