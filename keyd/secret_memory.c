#include "keyd/secret_memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <ucontext.h>

#include <openssl/mem.h>
#ifdef SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

#include "base/check.h"
#include "base/limits.h"
#include "keyd/secret_heap.h"

static struct secret_region heap_region, aside_region, stack_region;
static struct secret_heap heap, aside_heap;
static struct {
    bool now;
    bool ran_out;
} aside;

/* BoringSSL looks these up as weak symbols (crypto/mem.c); its headers do not declare them. */
OPENSSL_EXPORT void *OPENSSL_memory_alloc(size_t size);
OPENSSL_EXPORT void OPENSSL_memory_free(void *pointer);
OPENSSL_EXPORT size_t OPENSSL_memory_get_size(void *pointer);

static enum err map_kind(enum secret_kind kind, struct diag *diag)
{
    enum err err = secret_region_map(&stack_region, LIMIT_SECRET_STACK, kind, diag);
    if (err == ERR_OK) err = secret_region_map(&aside_region, LIMIT_ASIDE_HEAP, kind, diag);
    return err != ERR_OK ? err : secret_region_map(&heap_region, LIMIT_SECRET_HEAP, kind, diag);
}

enum err secret_memory_init(struct diag *diag)
{
    if (heap_region.data != NULL) return ERR_OK;
    uint64_t cookie;
    if (getrandom(&cookie, sizeof(cookie), 0) != (ssize_t)sizeof(cookie))
        return diag_set(diag, ERR_SYSTEM, "the kernel gives no random numbers (getrandom)");

    enum err err = map_kind(SECRET_MEMFD, diag);
    if (err == ERR_NOT_FOUND) err = map_kind(SECRET_LOCKED, diag);
    if (err != ERR_OK) return err;
    secret_heap_init(&heap, heap_region.data, heap_region.len, cookie);
    secret_heap_init(&aside_heap, aside_region.data, aside_region.len, cookie);
    return ERR_OK;
}

enum secret_kind secret_memory_kind(void)
{
    CHECK(heap_region.data != NULL);
    return heap_region.kind;
}

size_t secret_memory_in_use(void)
{
    return heap.in_use + aside_heap.in_use;
}

void secret_memory_step_aside(void)
{
    CHECK(!aside.now);
    aside.now = true;
    aside.ran_out = false;
}

/* Should BoringSSL have kept something it is left where it is, and the heap in pieces. */
bool secret_memory_step_back(void)
{
    CHECK(aside.now);
    aside.now = false;
    if (aside_heap.in_use == 0) secret_heap_reset(&aside_heap);
    return !aside.ran_out;
}

static bool region_holds(const struct secret_region *region, const void *address)
{
    return (uintptr_t)address - (uintptr_t)region->data < region->len;
}

bool secret_memory_holds(const void *address)
{
    return region_holds(&heap_region, address) || region_holds(&aside_region, address) ||
           region_holds(&stack_region, address);
}

/* makecontext passes integers only, so what to call waits here. */
static struct {
    void (*function)(void *context);
    void *context;
    ucontext_t caller;
    ucontext_t callee;
} run;

/* A sanitizer keeps the bounds of the stack. */
static void run_leave(void **out_old, const void *bottom, size_t size)
{
#ifdef SANITIZER
    __sanitizer_start_switch_fiber(out_old, bottom, size);
#else
    (void)out_old, (void)bottom, (void)size;
#endif
}

static void run_arrive(void *old, const void **out_bottom, size_t *out_size)
{
#ifdef SANITIZER
    __sanitizer_finish_switch_fiber(old, out_bottom, out_size);
#else
    (void)old, (void)out_bottom, (void)out_size;
#endif
}

static void run_start(void)
{
    const void *bottom = NULL;
    size_t size = 0;
    run_arrive(NULL, &bottom, &size);
    run.function(run.context);
    run_leave(NULL, bottom, size);
}

void secret_memory_run(void (*function)(void *context), void *context)
{
    CHECK(stack_region.data != NULL && run.function == NULL);
    run.function = function;
    run.context = context;
    CHECK(getcontext(&run.callee) == 0);
    run.callee.uc_stack.ss_sp = stack_region.data;
    run.callee.uc_stack.ss_size = stack_region.len;
    run.callee.uc_link = &run.caller;
    makecontext(&run.callee, run_start, 0);
    void *old = NULL;
    run_leave(&old, stack_region.data, stack_region.len);
    CHECK(swapcontext(&run.caller, &run.callee) == 0);
    run_arrive(old, NULL, NULL);
    run.function = NULL;
}

void *OPENSSL_memory_alloc(size_t size)
{
    /* A constructor may allocate before main; what fails here fails there with its diagnostic. */
    if (heap.base == NULL && secret_memory_init(NULL) != ERR_OK) return NULL;
    void *pointer = secret_heap_alloc(aside.now ? &aside_heap : &heap, size);
    if (aside.now && pointer == NULL) aside.ran_out = true;
    return pointer;
}

/* Whichever of the two it comes from. */
static struct secret_heap *heap_of(const void *pointer)
{
    return region_holds(&aside_region, pointer) ? &aside_heap : &heap;
}

void OPENSSL_memory_free(void *pointer)
{
    secret_heap_free(heap_of(pointer), pointer);
}

size_t OPENSSL_memory_get_size(void *pointer)
{
    return secret_heap_size(heap_of(pointer), pointer);
}
