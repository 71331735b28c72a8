#include "tests/unit/keyd/bring.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/keep.h"

const struct bring_kind bring_kinds[] = {
    {"p256", {SCHEME_ECDSA_P256_SHA256}, 1, 72},
    {"p384", {SCHEME_ECDSA_P384_SHA384}, 1, 104},
    {"rsa2048", {SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PSS_SHA384, SCHEME_RSA_PSS_SHA512}, 3, 256},
    {"rsa3072", {SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PSS_SHA384, SCHEME_RSA_PSS_SHA512}, 3, 384},
    {"rsa4096", {SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PSS_SHA384, SCHEME_RSA_PSS_SHA512}, 3, 512},
};
const size_t bring_num_kinds = sizeof(bring_kinds) / sizeof(bring_kinds[0]);

static void read_chain(struct bring *out, const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "rb");
    cr_assert_neq(file, NULL, "%s", path);
    const size_t len = fread(text, 1, sizeof(text), file);
    fclose(file);
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    char *name, *header;
    uint8_t *der;
    long der_len;
    while (out->num < sizeof(out->chain) / sizeof(out->chain[0]) && PEM_read_bio(bio, &name, &header, &der, &der_len)) {
        uint8_t *copy = keep(malloc((size_t)der_len));
        memcpy(copy, der, (size_t)der_len);
        out->chain[out->num++] = (struct bytes){copy, (size_t)der_len};
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    ERR_clear_error();
    cr_assert_gt(out->num, 0, "%s", path);
}

struct bring bring_open(const char *chain, const char *key)
{
    char path[256];
    struct bring bring = {.key = -1};
    if (chain != NULL) {
        snprintf(path, sizeof(path), "tests/keys/%s", chain);
        read_chain(&bring, path);
    }
    if (key != NULL) {
        snprintf(path, sizeof(path), "tests/keys/%s", key);
        bring.key = open(path, O_RDONLY | O_CLOEXEC);
        cr_assert_geq(bring.key, 0, "%s", path);
    }
    return bring;
}

struct bring bring_of(const struct bring_kind *kind, const char *role)
{
    char chain[64], key[64];
    snprintf(chain, sizeof(chain), "%s.%s.pem", kind->name, role);
    snprintf(key, sizeof(key), "%s.key", kind->name);
    return bring_open(chain, key);
}

struct keyd_setup bring_setup(const struct bring *server, const struct bring *client)
{
    struct keyd_setup setup = {.dns_names = {"localhost"},
                               .num_dns_names = 1,
                               .ca_lifetime_s = 3600,
                               .leaf_lifetime_s = 3600,
                               .client_name = "client"};
    for (size_t i = 0; server != NULL && i < server->num; i++)
        setup.server_chain[setup.num_server_chain++] = server->chain[i];
    for (size_t i = 0; client != NULL && i < client->num; i++)
        setup.client_chain[setup.num_client_chain++] = client->chain[i];
    return setup;
}
