/* Writes revocation lists, those that are taken and those that are not, into the directory given: the corpus of crl_fuzz.
 * bazel run //tests/fuzz/web:crl_seeds -- "$PWD/tests/fuzz/web/corpus/crl" */
#include <openssl/digest.h>
#include <openssl/nid.h>
#include <stdio.h>

#include "tests/unit/web/pki.h"

static int write_seed(const char *dir, const char *name, struct bytes bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    int failed = fwrite(bytes.data, 1, bytes.len, file) != bytes.len;
    return fclose(file) != 0 || failed;
}

int main(int argc, char **argv)
{
    static const uint8_t number[] = {2, 1, 1}, indirect[] = {0x30, 3, 0x84, 1, 255}, names[] = {0x30, 0};
    if (argc != 2) {
        fprintf(stderr, "usage: crl_seeds DIR\n");
        return 100;
    }
    const struct pki_cert ca = pki_ca("CA"), first = pki_client(&ca), second = pki_client(&ca),
                          rsa = pki_make(&(struct pki_request){.name = "CA", .is_ca = true, .rsa_bits = 2048});
    const struct {
        const char *name;
        struct pki_crl_request request;
    } seeds[] = {
        {"empty", {.issuer = &ca}},
        {"two", {.issuer = &ca, .revoked = {&first, &second}, .reason = 1}},
        {"version1", {.issuer = &ca, .revoked = {&first}, .version1 = true}},
        {"number", {.issuer = &ca, .extension = NID_crl_number, .value = {number, sizeof number}}},
        {"delta", {.issuer = &ca, .extension = NID_delta_crl, .critical = true, .value = {number, sizeof number}}},
        {"indirect",
         {.issuer = &ca,
          .extension = NID_issuing_distribution_point,
          .critical = true,
          .value = {indirect, sizeof indirect}}},
        {"other_issuer",
         {.issuer = &ca,
          .revoked = {&first},
          .entry_extension = NID_certificate_issuer,
          .critical = true,
          .value = {names, sizeof names}}},
        {"pss", {.issuer = &rsa, .md = EVP_sha384(), .pss = true}},
        {"endless", {.issuer = &ca, .no_next_update = true}},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        failed |= write_seed(argv[1], seeds[i].name, pki_crl(&seeds[i].request));
    static char pem[8192];
    const size_t len = pki_crl_pem(pem, sizeof pem, pki_crl(&seeds[1].request));
    return failed | write_seed(argv[1], "pem", (struct bytes){(const uint8_t *)pem, len});
}
