/* Writes the messages of real handshakes into the directory given: the corpus of transcript_fuzz.
 * bazel run //tests/fuzz/keyd:transcript_seeds -- "$PWD/tests/fuzz/keyd/corpus/transcript" */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "keyd/keystore.h"
#include "tests/unit/keyd/shake.h"

static void sign_server(void *keystore, uint8_t *out, size_t *out_len, struct bytes content)
{
    struct digest digest;
    CHECK(scheme_hash(&digest, SCHEME_ECDSA_P256_SHA256, content));
    CHECK(keystore_sign(keystore, out, out_len, KEY_SERVER, &digest) == ERR_OK);
}

static int write_seed(const char *dir, const char *side, size_t number, struct bytes messages)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%zu", dir, side, number);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    int failed = fwrite(messages.data, 1, messages.len, file) != messages.len;
    return fclose(file) != 0 || failed;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: transcript_seeds DIR\n");
        return 100;
    }
    const struct keyd_setup setup = {.dns_names = {"localhost"},
                                     .num_dns_names = 1,
                                     .ca_lifetime_s = 3600,
                                     .leaf_lifetime_s = 3600,
                                     .client_name = "client"};
    struct keystore *keystore;
    static struct shake shake;
    CHECK(keystore_new(&keystore, &setup, clock_wall_s(), NULL) == ERR_OK);
    const struct shake_keys keys = {.server = keystore_certificate(keystore, KEY_SERVER),
                                    .client = keystore_certificate(keystore, KEY_CLIENT),
                                    .issuer = keystore_certificate(keystore, KEY_CA),
                                    .sign_server = sign_server,
                                    .context = keystore};
    int failed = 0;
    for (size_t i = 0; i < shake_num_kinds; i++) {
        shake_run(&shake, &shake_kinds[i], &keys);
        failed |= write_seed(argv[1], "server", i, shake_for_server(&shake));
        failed |= write_seed(argv[1], "client", i, shake_for_client(&shake));
    }
    keystore_free(keystore);
    return failed;
}
