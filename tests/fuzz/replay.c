/* Feeds a corpus to a fuzz target in an ordinary build: every file whole, and every proper prefix of it. Prefixes are
 * copied to memory of exactly their size, so that a sanitizer sees a read past the end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    enum { MAX_INPUT = 1 << 20, MAX_PREFIXES = 4096 };
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    uint8_t *whole = malloc(MAX_INPUT);
    if (whole == NULL) abort();
    size_t size = fread(whole, 1, MAX_INPUT, file);
    fclose(file);
    for (size_t len = 0; len <= size; len++) {
        if (len > MAX_PREFIXES && len < size) len = size;
        uint8_t *exact = malloc(len > 0 ? len : 1);
        if (exact == NULL) abort();
        memcpy(exact, whole, len);
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
    }
    free(whole);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) failed += replay_file(argv[i]) != 0;
    printf("%d passed, %d failed\n", argc - 1 - failed, failed);
    return argc < 2 || failed > 0;
}
