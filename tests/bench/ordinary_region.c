/* For the benchmark alone: keyd with its heap and stack in ordinary memory, to measure what secret memory costs. It takes
 * the place of keyd/secret_region.c; nothing that ships links this file. */
#include <sys/mman.h>

#include "keyd/secret_region.h"

enum err secret_region_map(struct secret_region *out, size_t len, enum secret_kind kind, struct diag *diag)
{
    void *data = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return diag_set(diag, ERR_SYSTEM, "no memory");
    *out = (struct secret_region){.data = data, .len = len, .kind = kind};
    return ERR_OK;
}
