#include "base/clock.h"

#include <time.h>

#include "base/check.h"

static struct timespec clock_read(clockid_t id)
{
    struct timespec now = {0};
    CHECK(clock_gettime(id, &now) == 0 && now.tv_sec >= 0);
    return now;
}

uint64_t clock_monotonic_ms(void)
{
    struct timespec now = clock_read(CLOCK_BOOTTIME);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_monotonic_us(void)
{
    struct timespec now = clock_read(CLOCK_BOOTTIME);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_wall_ms(void)
{
    struct timespec now = clock_read(CLOCK_REALTIME);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_wall_s(void)
{
    return (uint64_t)clock_read(CLOCK_REALTIME).tv_sec;
}
