/* What a foreign server says are its certificates: the length of the pinned one and of each of the chain in front of it,
 * then a CertificateVerify. Nothing of it is by a CA that is pinned here, but for the corpus. */
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "keyd/server_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next span: its length in two octets, or what is left. */
static struct bytes take(const uint8_t **at, size_t *left)
{
    if (*left < 2) return (struct bytes){NULL, 0};
    size_t len = (size_t)(*at)[0] << 8 | (*at)[1];
    if (len > *left - 2) len = *left - 2;
    const struct bytes span = {*at + 2, len};
    *at += 2 + len;
    *left -= 2 + len;
    return span;
}

static void verify(const struct bytes *chain, size_t num_chain, const struct server_wanted *wanted,
                   struct bytes signature)
{
    static const uint16_t schemes[] = {0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0807, 0x0401};
    static const uint8_t content[] = "what a server signs";
    const enum server_verdict can = server_verify_can(wanted);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const struct server_shown shown = {.chain = chain,
                                           .num_chain = num_chain,
                                           .scheme = schemes[i],
                                           .content = {content, sizeof content},
                                           .signature = signature};
        const enum server_verdict verdict = server_verify(wanted, &shown);
        CHECK(verdict != SERVER_GOOD || can == SERVER_GOOD);
        CHECK(verdict != SERVER_GOOD || num_chain >= 1);
        if (verdict != SERVER_GOOD) continue;
        /* The same a second before and after all time, and under another name, is another matter. */
        struct server_wanted other = *wanted;
        other.now_s = 0;
        CHECK(server_verify(&other, &shown) != SERVER_GOOD);
        other.now_s = INT64_MAX;
        CHECK(server_verify(&other, &shown) != SERVER_GOOD);
        other.now_s = wanted->now_s;
        other.name = "nobody.has.this.name.invalid";
        CHECK(server_verify(&other, &shown) != SERVER_GOOD);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"service.example.com", "192.0.2.7", "2001:db8::7", "a.b.example.com"};
    struct bytes chain[LIMIT_SERVER_CHAIN + 1] = {{NULL, 0}};
    size_t num_chain = 0;
    if (size < 1 || size > LIMIT_CLIENT_TRANSCRIPT) return 0;
    struct server_wanted wanted = {.name = names[data[0] % 4], .now_s = 1750000000};
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    wanted.ca = take(&at, &left);
    const struct bytes signature = take(&at, &left);
    while (left >= 2 && num_chain <= LIMIT_SERVER_CHAIN) chain[num_chain++] = take(&at, &left);
    verify(chain, num_chain, &wanted, signature);
    /* What is sent by the server is not what is pinned; but if it were. */
    if (num_chain > 0) {
        wanted.ca = chain[num_chain - 1];
        verify(chain, num_chain, &wanted, signature);
    }
    return 0;
}
