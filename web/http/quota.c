#include "web/http/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"

struct quota_page {
    _Atomic uint64_t stored;
    _Atomic uint64_t counted_ms;                  /* when, on clock_monotonic_ms's scale */
    _Atomic uint64_t taken[LIMIT_WORKER_NUMBERS]; /* each written by its worker alone */
};

_Static_assert(sizeof(struct quota_page) <= LIMIT_QUOTA_PAGE, "the broker's file has room for it");

enum err quota_open(struct quota *out, int page_fd, unsigned worker, uint64_t limit, struct diag *diag)
{
    struct stat stat;
    CHECK(worker < LIMIT_WORKER_NUMBERS);
    /* A file that another worker can shorten would be a way to end this one. */
    int seals = fcntl(page_fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(page_fd, &stat) != 0 ||
        stat.st_size < (off_t)sizeof(struct quota_page))
        return diag_set(diag, ERR_INPUT, "uploads: the page for the quota is no sealed file of %zu bytes",
                        sizeof(struct quota_page));
    void *page = mmap(NULL, sizeof(struct quota_page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    if (page == MAP_FAILED)
        return diag_set(diag, ERR_SYSTEM, "uploads: cannot map the page for the quota: %s", strerror(errno));
    *out = (struct quota){.page = page, .worker = worker, .limit = limit};
    atomic_store(&out->page->taken[worker], 0);
    return ERR_OK;
}

void quota_close(struct quota *quota)
{
    if (quota->page == NULL) return;
    atomic_store(&quota->page->taken[quota->worker], 0);
    munmap(quota->page, sizeof(*quota->page));
    quota->page = NULL;
}

static bool fits(const struct quota *quota)
{
    uint64_t sum = atomic_load(&quota->page->stored);
    for (size_t i = 0; i < LIMIT_WORKER_NUMBERS; i++)
        if (__builtin_add_overflow(sum, atomic_load(&quota->page->taken[i]), &sum)) return false;
    return sum <= quota->limit;
}

/* Each worker takes first and looks then: of two that come at once both may be refused, never both let in. */
bool quota_take(const struct quota *quota, uint64_t bytes)
{
    if (quota->page == NULL) return true;
    if (bytes > quota->limit) return false;
    atomic_fetch_add(&quota->page->taken[quota->worker], bytes);
    if (fits(quota)) return true;
    quota_give(quota, bytes);
    return false;
}

void quota_give(const struct quota *quota, uint64_t bytes)
{
    if (quota->page != NULL) atomic_fetch_sub(&quota->page->taken[quota->worker], bytes);
}

void quota_replaced(const struct quota *quota, uint64_t size, uint64_t old_size)
{
    if (quota->page == NULL) return;
    uint64_t stored = atomic_load(&quota->page->stored);
    uint64_t kept = stored > old_size ? stored - old_size : 0; /* it may be one that came after the last count */
    atomic_store(&quota->page->stored, kept + size);
}

void quota_counted(const struct quota *quota, uint64_t bytes)
{
    if (quota->page == NULL) return;
    atomic_store(&quota->page->stored, bytes);
    atomic_store(&quota->page->counted_ms, clock_monotonic_ms());
}

bool quota_is_stale(const struct quota *quota, uint64_t ms)
{
    return quota->page != NULL && clock_monotonic_ms() - atomic_load(&quota->page->counted_ms) >= ms;
}
