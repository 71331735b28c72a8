/* What BoringSSL allocates in keyd, where it is, and what becomes of it. */
#include "keyd/secret_memory.h"

#include <criterion/criterion.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "keyd/key_generate.h"
#include "tests/unit/keyd/memory_map.h"
#include "tests/unit/skip.h"

/* The signal that ends a child which reads this byte, or 0 if it lives. */
static int signal_of_reading(const uint8_t *address)
{
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        *(volatile const uint8_t *)address;
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

Test(secret_memory, is_where_boringssl_allocates)
{
    uint8_t *block = OPENSSL_malloc(100);
    cr_assert(secret_memory_holds(block), "the linker did not take our OPENSSL_memory_alloc");
    EC_KEY *key = key_generate(KEY_CA);
    cr_assert(secret_memory_holds(key));
    cr_assert(secret_memory_holds(EC_KEY_get0_private_key(key)));
    block = OPENSSL_realloc(block, 5000);
    cr_assert(secret_memory_holds(block));
    OPENSSL_free(block);
    EC_KEY_free(key);
    uint8_t *ordinary = malloc(1);
    cr_assert_not(secret_memory_holds(ordinary));
    cr_assert_not(secret_memory_holds(NULL));
    free(ordinary);
}

Test(secret_memory, is_made_of_secret_pages)
{
    void *block = OPENSSL_malloc(100);
    char line[512];
    cr_assert(memory_map_line(line, sizeof(line), block));
    if (secret_memory_kind() == SECRET_MEMFD)
        cr_assert_neq(strstr(line, "/secretmem"), NULL, "%s", line);
    else
        cr_log_warn("this kernel has no memfd_secret: the keys are in locked memory");
    cr_assert(memory_map_has_flag(block, "lo"), "not locked");
    cr_assert(memory_map_has_flag(block, "dd"), "in core dumps");
    cr_assert(memory_map_has_flag(block, "dc"), "in children");
}

Test(secret_memory, is_not_in_a_child)
{
    uint8_t *block = OPENSSL_malloc(100);
    cr_assert_eq(signal_of_reading(block), SIGSEGV);
}

Test(secret_memory, wipes_what_boringssl_frees)
{
    uint8_t *block = OPENSSL_malloc(200);
    memset(block, 0x5a, 200);
    OPENSSL_free(block);
    for (size_t i = 0; i < 200; i++) cr_assert_eq(block[i], 0, "byte %zu", i);

    /* BoringSSL's realloc moves: what it leaves behind is wiped too. */
    uint8_t *small = OPENSSL_malloc(32);
    memset(small, 0x5a, 32);
    uint8_t *large = OPENSSL_realloc(small, 4096);
    cr_assert_neq(large, small);
    for (size_t i = 0; i < 32; i++) cr_assert(small[i] == 0 && large[i] == 0x5a, "byte %zu", i);
}

/* Without memory an operation fails; the process goes on, and signs again when there is some. */
Test(secret_memory, running_out_fails_the_operation_alone)
{
    EC_KEY *key = key_generate(KEY_CA);
    const uint8_t digest[32] = {1};
    uint8_t signature[80];
    unsigned len;
    cr_assert(ECDSA_sign(0, digest, sizeof(digest), signature, &len, key));

    static void *blocks[LIMIT_SECRET_HEAP / 64];
    size_t num = 0;
    for (size_t size = 32768; size >= 32; size /= 2) {
        for (void *block; (block = OPENSSL_malloc(size)) != NULL;) blocks[num++] = block;
    }
    cr_assert_not(ECDSA_sign(0, digest, sizeof(digest), signature, &len, key));
    cr_assert_eq(key_generate(KEY_CA), NULL);
    uint8_t random[32];
    cr_assert(RAND_bytes(random, sizeof(random)));

    while (num > 0) OPENSSL_free(blocks[--num]);
    cr_assert(ECDSA_sign(0, digest, sizeof(digest), signature, &len, key));
    cr_assert(ECDSA_verify(0, digest, sizeof(digest), signature, len, key));
    EC_KEY_free(key);
}

/* Aside, the other heap is used, up to its own end. */
Test(secret_memory, aside_takes_nothing_from_the_keys)
{
    static void *blocks[LIMIT_ASIDE_HEAP / 64];
    uint8_t *before = OPENSSL_malloc(100);
    const size_t in_use = secret_memory_in_use();
    for (int i = 0; i < 3; i++) {
        size_t num = 0;
        secret_memory_step_aside();
        OPENSSL_free(before); /* from wherever it is */
        for (void *block; (block = OPENSSL_malloc(32)) != NULL;) blocks[num++] = block;
        cr_assert(secret_memory_holds(blocks[0]) && secret_memory_holds(blocks[num - 1]));
        cr_assert_gt(num, LIMIT_ASIDE_HEAP / 64 / 2);
        while (num > 0) OPENSSL_free(blocks[--num]);
        cr_assert_not(secret_memory_step_back(), "it ran out");
        before = OPENSSL_malloc(100);
        cr_assert_eq(secret_memory_in_use(), in_use);
    }
    secret_memory_step_aside();
    void *large = OPENSSL_malloc(60000); /* in one piece again */
    cr_assert_neq(large, NULL);
    OPENSSL_free(large);
    cr_assert(secret_memory_step_back());
}

/* Should something be kept, it is kept. */
Test(secret_memory, aside_forgets_nothing_that_is_in_use)
{
    secret_memory_step_aside();
    uint8_t *kept = OPENSSL_malloc(100);
    memset(kept, 0x5a, 100);
    cr_assert(secret_memory_step_back());
    for (int i = 0; i < 3; i++) {
        secret_memory_step_aside();
        uint8_t *other = OPENSSL_malloc(100);
        memset(other, 0x11, 100);
        OPENSSL_free(other);
        cr_assert(secret_memory_step_back());
        for (size_t j = 0; j < 100; j++) cr_assert_eq(kept[j], 0x5a);
    }
    OPENSSL_free(kept);
}

static void record_stack(void *context)
{
    uint8_t here = 0;
    *(uint8_t **)context = &here;
    uint8_t *volatile large = __builtin_alloca(200 * 1024);
    large[0] = 1;
}

Test(secret_memory, has_a_stack)
{
    cr_assert_eq(secret_memory_init(NULL), ERR_OK);
    uint8_t *first = NULL, *second = NULL;
    secret_memory_run(record_stack, &first);
    secret_memory_run(record_stack, &second);
    cr_assert(secret_memory_holds(first));
    cr_assert(secret_memory_holds(second));
    uint8_t here;
    cr_assert_not(secret_memory_holds(&here));
}

static void overflow_stack(void *context)
{
    (void)context;
    for (uint8_t *volatile frame;;) {
        frame = __builtin_alloca(16384);
        memset(frame, 1, 16384);
    }
}

Test(secret_memory, a_stack_that_overflows_meets_its_guard, .signal = SIGSEGV)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would handle it */
    cr_assert_eq(secret_memory_init(NULL), ERR_OK);
    secret_memory_run(overflow_stack, NULL);
}

static void assert_guarded(const struct secret_region *region)
{
    cr_assert_eq(signal_of_reading(region->data - 1), SIGSEGV);
    cr_assert_eq(signal_of_reading(region->data + region->len), SIGSEGV);
    char line[512];
    cr_assert(memory_map_line(line, sizeof(line), region->data - 1));
    cr_assert_neq(strstr(line, "---p"), NULL, "%s", line);
    cr_assert(memory_map_line(line, sizeof(line), region->data + region->len));
    cr_assert_neq(strstr(line, "---p"), NULL, "%s", line);
    region->data[0] = 1;
    region->data[region->len - 1] = 1;
}

Test(secret_region, has_guards_before_and_after)
{
    struct secret_region region;
    struct diag diag = {0};
    const enum err err = secret_region_map(&region, 65536, SECRET_MEMFD, &diag);
    if (err == ERR_NOT_FOUND) SKIP_ON_THIS_KERNEL("this kernel has no memfd_secret");
    cr_assert_eq(err, ERR_OK, "%s", diag.text);
    cr_assert_eq(region.kind, SECRET_MEMFD);
    assert_guarded(&region);
}

/* What is used where the kernel has no memfd_secret. */
Test(secret_region, falls_back_to_locked_memory)
{
    struct secret_region region;
    struct diag diag = {0};
    cr_assert_eq(secret_region_map(&region, 65536, SECRET_LOCKED, &diag), ERR_OK, "%s", diag.text);
    cr_assert_eq(region.kind, SECRET_LOCKED);
    assert_guarded(&region);
    cr_assert(memory_map_has_flag(region.data, "lo"));
    cr_assert(memory_map_has_flag(region.data, "dd"));
    cr_assert(memory_map_has_flag(region.data, "dc"));
}

/* Root may lock without limit, so an ordinary user has to try: in a child, to get rid of the privilege. */
static int exit_code_without_lock(enum secret_kind kind)
{
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {4096, 4096};
        struct secret_region region;
        struct diag diag = {0};
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(90);
        const enum err err = secret_region_map(&region, 65536, kind, &diag);
        if (err == ERR_NOT_FOUND) _exit(0);
        _exit(err == ERR_SYSTEM && strstr(diag.text, "RLIMIT_MEMLOCK is 4096") != NULL ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(secret_region, says_which_limit_stands_in_the_way)
{
    cr_assert_eq(exit_code_without_lock(SECRET_LOCKED), 0);
    cr_assert_eq(exit_code_without_lock(SECRET_MEMFD), 0);
}
