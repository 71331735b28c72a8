/* Writes servers of other people's, good and bad, into the directory given: the corpus of server_verify_fuzz.
 * bazel run //tests/fuzz/keyd:server_verify_seeds -- "$PWD/tests/fuzz/keyd/corpus/server_verify" */
#include <openssl/digest.h>
#include <stdio.h>

#include "tests/unit/keyd/pki.h"

static const uint8_t text[] = "what a server signs";

static int put(FILE *file, struct bytes span)
{
    const uint8_t len[] = {(uint8_t)(span.len >> 8), (uint8_t)span.len};
    return fwrite(len, 1, 2, file) != 2 || fwrite(span.data, 1, span.len, file) != span.len;
}

/* A CA, one below it, and a server. */
struct seed {
    struct pki_spec root, middle, leaf;
    uint16_t scheme;
};

static int write_seed(const char *dir, const char *name, uint8_t server, const struct seed *seed)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    int failed = fputc(server, file) == EOF;
    failed |= put(file, pki_issue(&seed->root));
    failed |= put(file, pki_sign(seed->leaf.key, seed->scheme, (struct bytes){text, sizeof text}));
    failed |= put(file, pki_issue(&seed->leaf));
    failed |= put(file, pki_issue(&seed->middle));
    return fclose(file) != 0 || failed;
}

static struct seed good(enum pki_kind kind, uint16_t scheme)
{
    EVP_PKEY *root = pki_key(kind), *middle = pki_key(kind), *leaf = pki_key(kind);
    const struct pki_spec ca = {.issuer = "Root",
                                .signer = root,
                                .not_before = 1700000000,
                                .not_after = 1800000000,
                                .constraints = "critical,CA:TRUE,pathlen:1",
                                .usage = "critical,keyCertSign,cRLSign",
                                .key_id = "hash"};
    struct seed seed = {.root = ca, .middle = ca, .scheme = scheme};
    seed.root.subject = "Root";
    seed.root.key = root;
    seed.middle.subject = "Middle";
    seed.middle.key = middle;
    seed.middle.name_constraints = "permitted;DNS:example.com,excluded;DNS:evil.example.com";
    seed.leaf = (struct pki_spec){.subject = "server",
                                  .issuer = "Middle",
                                  .key = leaf,
                                  .signer = middle,
                                  .not_before = 1700000000,
                                  .not_after = 1800000000,
                                  .names = "DNS:service.example.com,DNS:*.b.example.com",
                                  .constraints = "critical,CA:FALSE",
                                  .usage = "critical,digitalSignature",
                                  .ext_usage = "serverAuth,clientAuth",
                                  .unknown = "DER:0500"};
    return seed;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: server_verify_seeds DIR\n");
        return 100;
    }
    struct seed seed = good(PKI_P256, 0x0403);
    int failed = write_seed(argv[1], "p256", 0, &seed);
    seed.leaf.unknown = "critical,DER:0500";
    failed |= write_seed(argv[1], "critical", 0, &seed);
    seed.leaf.unknown = NULL;
    seed.leaf.hash = EVP_sha1();
    failed |= write_seed(argv[1], "sha1", 0, &seed);
    seed.leaf.hash = NULL;
    seed.middle.name_constraints = NULL;
    seed.leaf.names =
        "IP:192.0.2.7,IP:2001:db8::7,DNS:*.b.example.com,email:a@example.com,URI:https://example.com/,RID:1.2.3";
    failed |= write_seed(argv[1], "address4", 1, &seed);
    failed |= write_seed(argv[1], "address6", 2, &seed);
    failed |= write_seed(argv[1], "wildcard", 3, &seed);
    seed = good(PKI_P384, 0x0503);
    failed |= write_seed(argv[1], "p384", 0, &seed);
    seed = good(PKI_RSA2048, 0x0804);
    failed |= write_seed(argv[1], "rsa", 0, &seed);
    seed = good(PKI_ED25519, 0x0807);
    failed |= write_seed(argv[1], "ed25519", 0, &seed);
    seed = good(PKI_P521, 0x0403);
    failed |= write_seed(argv[1], "p521", 0, &seed);
    return failed;
}
