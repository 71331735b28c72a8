/* A lone signature: in this process, and asked of keyd on the same core, on another core and where the scheduler likes.
 *
 * round_trip ROUNDS KEYD...: in each round each of them has its turn. Writes a line "NAME P50 P99 MIN" for each, in
 * microseconds; the second keyd's names end with -2. */
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/rig.h"

enum { MAX_KEYDS = 4, EACH = 100, HERE = 0, ELSEWHERE = 1 };

enum place { PLACE_SAME, PLACE_CROSS, PLACE_FREE, PLACE_NUM };

static const char *const place_names[PLACE_NUM] = {"same-core", "cross-core", "unpinned"};

struct subject {
    struct rig rig;
    struct link link;
    int epoll;
    struct samples samples[PLACE_NUM];
};

static void sign_here(struct samples *samples, const EC_KEY *key)
{
    uint8_t content[64 + 34 + 32] = {0}, digest[SHA256_DIGEST_LENGTH], signature[80];
    unsigned len;
    const uint64_t begin = samples_now();
    SHA256(content, sizeof content, digest);
    if (!ECDSA_sign(0, digest, sizeof digest, signature, &len, key)) rig_fail("ECDSA_sign");
    samples_add(samples, samples_now() - begin);
}

static void ask(struct subject *subject, enum place place)
{
    rig_pin(subject->rig.pid, place == PLACE_SAME ? HERE : place == PLACE_CROSS ? ELSEWHERE : RIG_NO_CPU);
    rig_pin(0, place == PLACE_FREE ? RIG_NO_CPU : HERE);
    for (int i = 0; i < EACH; i++) {
        const uint64_t begin = samples_now();
        rig_ask_server(&subject->rig, &subject->link, subject->epoll);
        samples_add(&subject->samples[place], samples_now() - begin);
    }
    rig_pin(0, HERE);
}

int main(int argc, char **argv)
{
    static struct subject subjects[MAX_KEYDS];
    struct samples in_process = {0};
    const int num = argc - 2;
    if (num < 1 || num > MAX_KEYDS) {
        fprintf(stderr, "usage: round_trip ROUNDS KEYD...\n");
        return 100;
    }
    const unsigned long rounds = strtoul(argv[1], NULL, 10);
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (key == NULL || !EC_KEY_generate_key(key)) rig_fail("key");
    rig_pin(0, HERE);
    for (int i = 0; i < num; i++) {
        rig_start(&subjects[i].rig, argv[2 + i]);
        subjects[i].link = rig_grant(&subjects[i].rig, 1, PURPOSE_TLS_SERVER);
        subjects[i].epoll = rig_watch(&subjects[i].link);
    }
    for (unsigned long round = 0; round < rounds; round++) {
        for (int i = 0; i < EACH; i++) sign_here(&in_process, key);
        for (int i = 0; i < num; i++)
            for (enum place place = 0; place < PLACE_NUM; place++) ask(&subjects[i], place);
    }
    samples_print(&in_process, "in-process");
    for (int i = 0; i < num; i++) {
        for (enum place place = 0; place < PLACE_NUM; place++) {
            char name[64];
            if (i == 0) snprintf(name, sizeof name, "%s", place_names[place]);
            if (i > 0) snprintf(name, sizeof name, "%s-%d", place_names[place], i + 1);
            samples_print(&subjects[i].samples[place], name);
        }
        rig_stop(&subjects[i].rig);
    }
    EC_KEY_free(key);
    return 0;
}
