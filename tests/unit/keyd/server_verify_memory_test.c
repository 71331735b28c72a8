/* Wherever memory runs out, a server is not verified, nothing is kept and nothing breaks. */
#include <criterion/criterion.h>
#include <openssl/base.h>
#include <stdlib.h>
#include <string.h>

#include "keyd/server_verify.h"
#include "tests/unit/keyd/pki.h"

/* BoringSSL looks these up as weak symbols (crypto/mem.c); its headers do not declare them. */
OPENSSL_EXPORT void *OPENSSL_memory_alloc(size_t size);
OPENSSL_EXPORT void OPENSSL_memory_free(void *pointer);
OPENSSL_EXPORT size_t OPENSSL_memory_get_size(void *pointer);

/* The size stands in front, as far from the block as alignment asks for. */
#define FRONT 16u

static size_t num_live, num_asked, last_good = SIZE_MAX;

void *OPENSSL_memory_alloc(size_t size)
{
    if (num_asked++ >= last_good) return NULL;
    uint8_t *block = malloc(FRONT + size);
    if (block == NULL) return NULL;
    memcpy(block, &size, sizeof(size));
    num_live++;
    return block + FRONT;
}

void OPENSSL_memory_free(void *pointer)
{
    num_live--;
    free((uint8_t *)pointer - FRONT);
}

size_t OPENSSL_memory_get_size(void *pointer)
{
    size_t size;
    memcpy(&size, (uint8_t *)pointer - FRONT, sizeof(size));
    return size;
}

static const uint8_t text[] = "what a server signs";
static const struct bytes content = {text, sizeof(text)};

/* Gives out so many blocks and no more, one more each time, until it is enough. */
static void starve(const struct server_wanted *wanted, const struct server_shown *shown)
{
    cr_assert_eq(server_verify(wanted, shown), SERVER_GOOD); /* what is made once is made now */
    const size_t live_before = num_live;
    for (size_t blocks = 0;; blocks++) {
        cr_assert_lt(blocks, 100000);
        num_asked = 0;
        last_good = blocks;
        const enum server_verdict verdict = server_verify(wanted, shown);
        const bool was_enough = num_asked <= blocks;
        last_good = SIZE_MAX;
        cr_assert_eq(num_live, live_before, "%zu blocks", blocks);
        cr_assert(was_enough || verdict != SERVER_GOOD, "%zu blocks", blocks);
        if (!was_enough) continue;
        cr_assert_eq(verdict, SERVER_GOOD);
        return;
    }
}

static void starve_with(enum pki_kind kind, uint16_t scheme, const char *name)
{
    EVP_PKEY *ca_key = pki_key(kind), *key = pki_key(kind);
    struct pki_spec spec = {.subject = "Root",
                            .issuer = "Root",
                            .key = ca_key,
                            .signer = ca_key,
                            .not_before = 1,
                            .not_after = 3,
                            .constraints = "critical,CA:TRUE",
                            .usage = "critical,keyCertSign",
                            .name_constraints = "permitted;DNS:example.com",
                            .key_id = "hash"};
    const struct server_wanted wanted = {pki_issue(&spec), name, 2};
    spec.subject = "Middle";
    spec.name_constraints = NULL;
    spec.key = key;
    const struct bytes middle = pki_issue(&spec);
    spec = (struct pki_spec){.subject = "server",
                             .issuer = "Middle",
                             .key = key,
                             .signer = key,
                             .not_before = 1,
                             .not_after = 3,
                             .names = "DNS:a.example.com,DNS:*.example.com,IP:192.0.2.1",
                             .usage = "critical,digitalSignature",
                             .ext_usage = "serverAuth",
                             .unknown = "DER:0500"};
    const struct bytes chain[] = {pki_issue(&spec), middle};
    const struct server_shown shown = {chain, 2, scheme, content, pki_sign(key, scheme, content)};
    starve(&wanted, &shown);
}

Test(server_verify_memory, runs_out_anywhere)
{
    starve_with(PKI_P256, 0x0403, "b.example.com");
    starve_with(PKI_P384, 0x0503, "192.0.2.1");
    starve_with(PKI_RSA2048, 0x0804, "b.example.com");
    starve_with(PKI_ED25519, 0x0807, "a.example.com");
}
