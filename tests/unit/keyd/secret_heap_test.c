#include "keyd/secret_heap.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define REGION 65536u

static _Alignas(16) uint8_t region[REGION];
static struct secret_heap heap;

static void setup(void)
{
    memset(region, 0, sizeof(region));
    secret_heap_init(&heap, region, sizeof(region), 0x1234567890abcdef);
}

TestSuite(secret_heap, .init = setup);

static size_t count_not(const uint8_t *data, size_t len, uint8_t value)
{
    size_t num = 0;
    for (size_t i = 0; i < len; i++) num += data[i] != value;
    return num;
}

Test(secret_heap, gives_zeroed_aligned_memory_of_the_size_asked_for)
{
    const size_t sizes[] = {0, 1, 31, 32, 33, 64, 1000, 1024, 1025, 8192};
    uint8_t *blocks[sizeof(sizes) / sizeof(sizes[0])];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        blocks[i] = secret_heap_alloc(&heap, sizes[i]);
        cr_assert_neq(blocks[i], NULL);
        cr_assert_eq((uintptr_t)blocks[i] % 16, 0);
        cr_assert_eq(secret_heap_size(&heap, blocks[i]), sizes[i]);
        cr_assert_eq(count_not(blocks[i], sizes[i], 0), 0);
        memset(blocks[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cr_assert_eq(count_not(blocks[i], sizes[i], (uint8_t)(i + 1)), 0, "block %zu was written over", i);
        secret_heap_free(&heap, blocks[i]);
    }
    cr_assert_eq(heap.in_use, 0);
}

Test(secret_heap, wipes_what_is_freed)
{
    uint8_t *block = secret_heap_alloc(&heap, 100);
    memset(block, 0xaa, 100);
    secret_heap_free(&heap, block);
    cr_assert_eq(count_not(block, 100, 0), 0);
    cr_assert_eq(count_not(region, sizeof(region), 0xaa), sizeof(region));
}

Test(secret_heap, uses_freed_blocks_again)
{
    void *first = secret_heap_alloc(&heap, 50);
    secret_heap_free(&heap, first);
    const size_t top = heap.top;
    for (int i = 0; i < 1000; i++) {
        void *block = secret_heap_alloc(&heap, 40 + (size_t)i % 20);
        cr_assert_eq(block, first);
        secret_heap_free(&heap, block);
    }
    cr_assert_eq(heap.top, top);
}

Test(secret_heap, says_null_when_it_is_full_and_recovers)
{
    void *blocks[REGION / 64];
    size_t num = 0;
    for (void *block; (block = secret_heap_alloc(&heap, 32)) != NULL;) blocks[num++] = block;
    cr_assert_eq(num, REGION / 64);
    cr_assert_eq(secret_heap_alloc(&heap, 1), NULL);
    secret_heap_free(&heap, blocks[7]);
    cr_assert_eq(secret_heap_alloc(&heap, 32), blocks[7]);
    cr_assert_eq(secret_heap_alloc(&heap, 32), NULL);
}

Test(secret_heap, refuses_sizes_beyond_all_bounds)
{
    cr_assert_eq(secret_heap_alloc(&heap, 65537), NULL);
    cr_assert_eq(secret_heap_alloc(&heap, SIZE_MAX), NULL);
    cr_assert_eq(secret_heap_alloc(&heap, SIZE_MAX - 31), NULL);
    cr_assert_eq(heap.top, 0);
}

Test(secret_heap, takes_a_larger_block_when_its_own_size_has_run_out)
{
    void *large = secret_heap_alloc(&heap, 32768);
    while (secret_heap_alloc(&heap, 32) != NULL) {
    }
    secret_heap_free(&heap, large);
    void *small = secret_heap_alloc(&heap, 32);
    cr_assert_eq(small, large);
    cr_assert_eq(secret_heap_size(&heap, small), 32);
    memset(small, 0xbb, 32);
    secret_heap_free(&heap, small);
    cr_assert_eq(secret_heap_alloc(&heap, 32768), large);
}

Test(secret_heap, stops_at_a_double_free, .signal = SIGILL)
{
    void *block = secret_heap_alloc(&heap, 10);
    secret_heap_free(&heap, block);
    secret_heap_free(&heap, block);
}

Test(secret_heap, stops_at_an_overflow, .signal = SIGILL)
{
    uint8_t *first = secret_heap_alloc(&heap, 32);
    uint8_t *second = secret_heap_alloc(&heap, 32);
    memset(first, 0x41, 40);
    secret_heap_free(&heap, second);
}

Test(secret_heap, stops_at_an_overflow_into_a_free_block, .signal = SIGILL)
{
    uint8_t *first = secret_heap_alloc(&heap, 32);
    uint8_t *second = secret_heap_alloc(&heap, 32);
    secret_heap_free(&heap, second);
    memset(first, 0x41, 40);
    (void)secret_heap_alloc(&heap, 32);
}

Test(secret_heap, stops_at_a_foreign_pointer, .signal = SIGILL)
{
    static _Alignas(16) uint8_t elsewhere[64];
    secret_heap_free(&heap, elsewhere + 32);
}

Test(secret_heap, stops_at_a_pointer_into_a_block, .signal = SIGILL)
{
    uint8_t *block = secret_heap_alloc(&heap, 100);
    secret_heap_free(&heap, block + 16);
}

static void take_all(size_t size)
{
    while (secret_heap_alloc(&heap, size) != NULL) continue;
}

Test(secret_heap, a_reset_puts_the_pieces_together)
{
    take_all(16);
    cr_assert_eq(secret_heap_alloc(&heap, 8192), NULL);
    static void *blocks[REGION / 64];
    setup();
    size_t num = 0;
    for (void *block; (block = secret_heap_alloc(&heap, 16)) != NULL;) blocks[num++] = block;
    for (size_t i = 0; i < num; i++) secret_heap_free(&heap, blocks[i]);
    cr_assert_eq(secret_heap_alloc(&heap, 8192), NULL, "in pieces");
    secret_heap_reset(&heap);
    uint8_t *block = secret_heap_alloc(&heap, 32768);
    cr_assert_neq(block, NULL);
    cr_assert_eq(count_not(block, 32768, 0), 0, "nothing is left of the headers");
}

Test(secret_heap, what_is_in_use_is_not_reset, .signal = SIGILL)
{
    cr_assert_neq(secret_heap_alloc(&heap, 16), NULL);
    signal(SIGILL, SIG_DFL);
    secret_heap_reset(&heap);
}
