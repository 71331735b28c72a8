/* Writes one packet of every kind into the directory given: the corpus beside this file.
 * bazel run //tests/fuzz/proto:seeds -- "$PWD/tests/fuzz/proto/corpus" */
#include <ctype.h>
#include <stdio.h>

#include "tests/unit/proto/sample.h"

static int write_seed(const char *dir, enum msg_kind kind)
{
    static uint8_t packet[LIMIT_PACKET];
    struct msg sample = sample_of(kind);
    size_t len = 0;
    if (codec_encode(packet, &len, sizeof packet, &sample) != ERR_OK) return 1;
    char path[1024], name[64];
    snprintf(name, sizeof name, "%s", msg_kind_name(kind));
    for (char *c = name; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    int failed = fwrite(packet, 1, len, file) != len;
    return fclose(file) != 0 || failed;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIR\n");
        return 100;
    }
    int failed = 0;
    for (unsigned kind = MSG_NONE + 1; kind < MSG_NUM_KINDS; kind++) failed |= write_seed(argv[1], kind);
    return failed;
}
