#include "keyd/secret_region.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/check.h"

/* diag_lock says why pages could not be locked, which is nearly always the limit. */
static enum err diag_lock(struct diag *diag, size_t len)
{
    const int why = errno;
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    return diag_set(diag, ERR_SYSTEM,
                    "cannot lock %zu bytes of memory for the keys: %s (RLIMIT_MEMLOCK is %llu); raise it with "
                    "LimitMEMLOCK= in the unit or `ulimit -l`",
                    len, strerror(why), (unsigned long long)limit.rlim_cur);
}

/* Seccomp profiles of containers answer EPERM for calls that they do not know. */
static enum err map_memfd(uint8_t *at, size_t len, struct diag *diag)
{
    AUTO_FD fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return ERR_NOT_FOUND;
    if (fd < 0) return diag_set(diag, ERR_SYSTEM, "memfd_secret: %s", strerror(errno));
    if (ftruncate(fd, (off_t)len) != 0)
        return diag_set(diag, ERR_SYSTEM, "cannot size the secret memory: %s", strerror(errno));
    if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) return diag_lock(diag, len);
    return ERR_OK;
}

static enum err map_locked(uint8_t *at, size_t len, struct diag *diag)
{
    if (mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        return diag_set(diag, ERR_SYSTEM, "cannot map memory for the keys: %s", strerror(errno));
    /* On fault: locked from its first use on, without taking what is never used. */
    if (mlock2(at, len, MLOCK_ONFAULT) != 0) return diag_lock(diag, len);
    return ERR_OK;
}

enum err secret_region_map(struct secret_region *out, size_t len, enum secret_kind kind, struct diag *diag)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK(len > 0 && len % page == 0);
    uint8_t *guard = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard == MAP_FAILED) return diag_set(diag, ERR_SYSTEM, "cannot map memory for the keys: %s", strerror(errno));

    uint8_t *data = guard + page;
    enum err err = kind == SECRET_MEMFD ? map_memfd(data, len, diag) : map_locked(data, len, diag);
    if (err == ERR_OK && (madvise(data, len, MADV_DONTDUMP) != 0 || madvise(data, len, MADV_DONTFORK) != 0))
        err = diag_set(diag, ERR_SYSTEM, "cannot keep the keys' memory out of dumps and children: %s", strerror(errno));
    if (err != ERR_OK) {
        munmap(guard, len + 2 * page);
        return err;
    }
    *out = (struct secret_region){.data = data, .len = len, .kind = kind};
    return ERR_OK;
}
