/* A search through all of a process's memory for a key that it uses. */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/mem.h>
#include <stdlib.h>
#include <string.h>

#include "keyd/key_generate.h"
#include "keyd/secret_memory.h"
#include "tests/unit/keyd/memory_map.h"
#include "tests/unit/skip.h"

/* Everything that keyd does with a key, then a search for the key where it should not be. */
struct search {
    size_t found;
    size_t found_control;
};

static void search_scalar(void *context)
{
    struct search *search = context;
    EC_KEY *key = key_generate(KEY_CLIENT);
    const uint8_t digest[32] = {1};
    uint8_t signature[80], big_endian[32], little_endian[32];
    unsigned len;
    for (int i = 0; i < 50; i++)
        if (!ECDSA_sign(0, digest, sizeof(digest), signature, &len, key)) return;
    if (!BN_bn2bin_padded(big_endian, 32, EC_KEY_get0_private_key(key))) return;
    for (size_t i = 0; i < 32; i++) little_endian[i] = big_endian[31 - i];

    /* Half of it is enough to be a find. */
    search->found = memory_map_find(big_endian, 16) + memory_map_find(big_endian + 16, 16) +
                    memory_map_find(little_endian, 16) + memory_map_find(little_endian + 16, 16);
    uint8_t *copy = malloc(32);
    memcpy(copy, little_endian, 32);
    search->found_control = memory_map_find(little_endian, 16);
    OPENSSL_cleanse(copy, 32);
    free(copy);
    EC_KEY_free(key);
}

Test(secret_memory, holds_the_only_copies_of_a_key)
{
    cr_assert_eq(secret_memory_init(NULL), ERR_OK);
    if (secret_memory_kind() != SECRET_MEMFD) SKIP_ON_THIS_KERNEL("this kernel has no memfd_secret");
    struct search search = {.found = 999};
    secret_memory_run(search_scalar, &search);
    cr_assert_eq(search.found_control, 1, "the search finds nothing at all");
    cr_assert_eq(search.found, 0, "%zu copies outside of secret memory", search.found);
}
