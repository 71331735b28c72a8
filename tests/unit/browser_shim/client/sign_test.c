#include "browser-shim/client_sign.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/bytes.h"

/* RFC 8446, 4.4.3, for the hash 01 01 ... */
static size_t content_of(uint8_t *out, const char *context, size_t hash_len)
{
    memset(out, 0x20, 64);
    memcpy(out + 64, context, strlen(context) + 1);
    memset(out + 64 + strlen(context) + 1, 0x01, hash_len);
    return 64 + strlen(context) + 1 + hash_len;
}

static const char client_context[] = "TLS 1.3, client CertificateVerify";

Test(client_sign, takes_the_hash_out)
{
    for (size_t hash_len = 0; hash_len <= 64; hash_len++) {
        uint8_t content[256];
        struct bytes hash = {NULL, 0};
        size_t len = content_of(content, client_context, hash_len);
        bool good = hash_len == 32 || hash_len == 48;
        cr_expect_eq(client_sign_transcript_hash(&hash, (struct bytes){content, len}), good ? ERR_OK : ERR_INPUT, "%zu",
                     hash_len);
        if (!good) continue;
        cr_expect_eq(hash.data, content + 98);
        cr_expect_eq(hash.len, hash_len);
    }
}

Test(client_sign, refuses_every_other_byte_before_the_hash)
{
    uint8_t content[256];
    struct bytes hash;
    size_t len = content_of(content, client_context, 32);
    for (size_t i = 0; i < 98; i++) {
        content[i] ^= 0x01;
        cr_expect_eq(client_sign_transcript_hash(&hash, (struct bytes){content, len}), ERR_INPUT, "byte %zu", i);
        content[i] ^= 0x01;
    }
    cr_expect_eq(client_sign_transcript_hash(&hash, (struct bytes){content, len}), ERR_OK);
}

Test(client_sign, refuses_the_servers_context)
{
    uint8_t content[256];
    struct bytes hash;
    size_t len = content_of(content, "TLS 1.3, server CertificateVerify", 32);
    cr_expect_eq(client_sign_transcript_hash(&hash, (struct bytes){content, len}), ERR_INPUT);
    cr_expect_eq(client_sign_transcript_hash(&hash, (struct bytes){NULL, 0}), ERR_INPUT);
}
