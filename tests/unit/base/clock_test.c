#include "base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, monotonic_counts_milliseconds)
{
    const uint64_t before = clock_monotonic_ms();
    const struct timespec pause = {.tv_nsec = 30000000};
    nanosleep(&pause, NULL);
    const uint64_t passed = clock_monotonic_ms() - before;
    cr_expect(passed >= 29 && passed < 20000, "%lu", (unsigned long)passed);
}

Test(clock, monotonic_microseconds_are_the_same_clock)
{
    const uint64_t before_ms = clock_monotonic_ms();
    const uint64_t us = clock_monotonic_us();
    const uint64_t after_ms = clock_monotonic_ms();
    cr_expect(us / 1000 >= before_ms && us / 1000 <= after_ms, "%lu", (unsigned long)us);
}

Test(clock, wall_is_the_machines_time)
{
    const uint64_t now = (uint64_t)time(NULL);
    const uint64_t read = clock_wall_s();
    cr_expect(read + 1 >= now && read <= now + 5, "%lu %lu", (unsigned long)now, (unsigned long)read);
}
