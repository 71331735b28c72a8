#include "keyd/secret_heap.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

enum block_state { BLOCK_USED = 0x55534544, BLOCK_FREE = 0x46524545 };

struct secret_block {
    struct secret_block *next; /* in the free list of its class */
    size_t size;               /* asked for */
    uint32_t size_class;
    uint32_t state;
    uint64_t check; /* over the fields above, the block's own place and the cookie */
};
_Static_assert(sizeof(struct secret_block) % 16 == 0, "payloads stay aligned");

static size_t class_bytes(uint32_t size_class)
{
    return (size_t)SECRET_HEAP_SMALLEST << size_class;
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (sum >> 32);
}

static uint64_t block_check(const struct secret_heap *heap, const struct secret_block *block)
{
    uint64_t sum = mix(heap->cookie, (uintptr_t)block);
    sum = mix(sum, (uintptr_t)block->next);
    sum = mix(sum, block->size);
    return mix(sum, (uint64_t)block->size_class << 32 | block->state);
}

static void block_set(const struct secret_heap *heap, struct secret_block *block, enum block_state state, size_t size,
                      struct secret_block *next)
{
    block->next = next;
    block->size = size;
    block->state = state;
    block->check = block_check(heap, block);
}

/* block_verify stops the process unless block is one of the heap's and in the given state. */
static void block_verify(const struct secret_heap *heap, const struct secret_block *block, enum block_state state)
{
    const uintptr_t place = (uintptr_t)block, base = (uintptr_t)heap->base;
    CHECK(place >= base && place % 16 == 0 && place - base < heap->top);
    CHECK(block->state == (uint32_t)state);
    CHECK(block->check == block_check(heap, block));
}

void secret_heap_init(struct secret_heap *heap, uint8_t *base, size_t len, uint64_t cookie)
{
    CHECK((uintptr_t)base % 16 == 0);
    *heap = (struct secret_heap){.base = base, .len = len, .cookie = cookie};
}

/* heap_take takes a free block of the class, or makes one from what was never used. NULL: neither. */
static struct secret_block *heap_take(struct secret_heap *heap, uint32_t size_class)
{
    struct secret_block *block = heap->free[size_class];
    if (block != NULL) {
        block_verify(heap, block, BLOCK_FREE);
        heap->free[size_class] = block->next;
        return block;
    }
    const size_t need = sizeof(*block) + class_bytes(size_class);
    if (heap->len - heap->top < need) return NULL;
    block = (struct secret_block *)(void *)(heap->base + heap->top);
    block->size_class = size_class;
    heap->top += need;
    return block;
}

void *secret_heap_alloc(struct secret_heap *heap, size_t size)
{
    uint32_t size_class = 0;
    while (size_class < SECRET_HEAP_CLASSES && class_bytes(size_class) < size) size_class++;

    /* A larger block serves as well when its own size has run out. */
    for (; size_class < SECRET_HEAP_CLASSES; size_class++) {
        struct secret_block *block = heap_take(heap, size_class);
        if (block == NULL) continue;
        block_set(heap, block, BLOCK_USED, size, NULL);
        heap->in_use += sizeof(*block) + class_bytes(size_class);
        return block + 1;
    }
    return NULL;
}

void secret_heap_free(struct secret_heap *heap, void *pointer)
{
    struct secret_block *block = (struct secret_block *)pointer - 1;
    block_verify(heap, block, BLOCK_USED);
    const size_t bytes = class_bytes(block->size_class);
    explicit_bzero(pointer, bytes);
    heap->in_use -= sizeof(*block) + bytes;
    block_set(heap, block, BLOCK_FREE, 0, heap->free[block->size_class]);
    heap->free[block->size_class] = block;
}

void secret_heap_reset(struct secret_heap *heap)
{
    CHECK(heap->in_use == 0);
    explicit_bzero(heap->base, heap->top); /* the headers: contents have been wiped */
    secret_heap_init(heap, heap->base, heap->len, heap->cookie);
}

size_t secret_heap_size(const struct secret_heap *heap, const void *pointer)
{
    const struct secret_block *block = (const struct secret_block *)pointer - 1;
    block_verify(heap, block, BLOCK_USED);
    return block->size;
}
