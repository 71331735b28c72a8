/* Writes logs into the directory given: the corpus beside this file.
 * bazel run //tests/fuzz/broker:audit_verify_seeds -- "$PWD/tests/fuzz/broker/corpus/audit_verify" */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/unit/broker/audit_rig.h"

static char text[AUDIT_RIG_LINES * (LIMIT_AUDIT_LINE + 1)];

static int write_seed(const char *dir, const char *name, size_t len)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return 1;
    }
    int failed = fwrite(text, 1, len, file) != len;
    return fclose(file) != 0 || failed;
}

/* Every kind of record, every member of one, two lives and two keys of the first. */
static void write_log(struct audit_rig *rig)
{
    audit_rig_begin(rig);
    audit_rig_add(rig, AUDIT_START);
    audit_rig_new_key(rig);
    for (enum audit_what what = AUDIT_STARTED; what < AUDIT_HEAD; what++) audit_rig_add(rig, what);
    audit_rig_sign(rig, AUDIT_HEAD);
    audit_rig_new_key(rig);
    audit_rig_add(rig, AUDIT_STOP);
    audit_rig_sign(rig, AUDIT_END);
    audit_rig_add(rig, AUDIT_START);
    audit_rig_new_key(rig);
    audit_rig_sign(rig, AUDIT_END);
}

int main(int argc, char **argv)
{
    static struct audit_rig rig;
    if (argc != 2) {
        fprintf(stderr, "usage: audit_verify_seeds DIR\n");
        return 100;
    }
    write_log(&rig);
    ssize_t len = pread(rig.fd, text, sizeof text, 0);
    CHECK(len > 0);
    int failed = write_seed(argv[1], "every_kind", (size_t)len);
    char *edited = strstr(text, "1234");
    CHECK(edited != NULL);
    *edited = '2';
    failed |= write_seed(argv[1], "edited", (size_t)len);
    static const char words[] =
        "{\"n\":1,\"time\":\"2026-01-02T03:04:05.678Z\",\"what\":\"start\",\"handle\":1,\"parent\":2,\"label\":"
        "\"\\\"\\\\\","
        "\"purpose\":\"\\u00e9\",\"key\":\"\\ud83d\\udd12\",\"pid\":3,\"uid\":0,\"server\":\"s\",\"reason\":\"r\","
        "\"count\":4,"
        "\"refusals\":5,\"process\":\"p\",\"policy\":\"refuse\",\"text\":\"t\",\"lost\":6,\"head\":7,\"hash\":\"00\","
        "\"fingerprint\":\"01\",\"public\":\"02\",\"signature\":\"03\",\"prev\":"
        "\"0000000000000000000000000000000000000000"
        "000000000000000000000000\"}\n";
    memcpy(text, words, sizeof words);
    return failed | write_seed(argv[1], "every_member", sizeof words - 1);
}
