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

Test(clock, wall_is_the_machines_time)
{
    const uint64_t now = (uint64_t)time(NULL);
    const uint64_t read = clock_wall_s();
    cr_expect(read + 1 >= now && read <= now + 5, "%lu %lu", (unsigned long)now, (unsigned long)read);
}
