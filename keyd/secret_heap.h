/* An allocator over one fixed region: blocks of power-of-two sizes, one free list for each size.
 *
 * A block never changes its size, so nothing is split, joined or moved, and the whole fits on a page. Contents are
 * wiped when freed. A header that does not check out (an overflow, a double free, a foreign pointer) is our own bug
 * and stops the process. Knows nothing of where the region comes from; one thread. */
#ifndef KEYWARD_KEYD_SECRET_HEAP_H
#define KEYWARD_KEYD_SECRET_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* Blocks of 32 bytes, 64, ... up to 64 KiB. */
#define SECRET_HEAP_SMALLEST 32u
#define SECRET_HEAP_CLASSES 12u

struct secret_block;

struct secret_heap {
    uint8_t *base;
    size_t len;
    size_t top;      /* bytes that ever were in a block */
    size_t in_use;   /* bytes of blocks that are not free, headers included */
    uint64_t cookie; /* secret, so that a forged header does not check out */
    struct secret_block *free[SECRET_HEAP_CLASSES];
};

/* secret_heap_init makes len bytes at base, aligned to 16, an empty heap. */
void secret_heap_init(struct secret_heap *heap, uint8_t *base, size_t len, uint64_t cookie);

/* secret_heap_alloc returns size bytes aligned to 16, all zero, or NULL if there is no room. */
void *secret_heap_alloc(struct secret_heap *heap, size_t size);

/* secret_heap_free wipes what secret_heap_alloc gave. */
void secret_heap_free(struct secret_heap *heap, void *pointer);

/* secret_heap_reset makes a heap as it was at first, in one piece. Everything has to be free. */
void secret_heap_reset(struct secret_heap *heap);

/* secret_heap_size returns the size that was asked for. */
size_t secret_heap_size(const struct secret_heap *heap, const void *pointer);

#endif
