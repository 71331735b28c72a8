#include "base/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* A time namespace whose machine has slept for an hour. */
Test(clock, monotonic_counts_while_the_machine_sleeps)
{
    static const char slept[] = "boottime 3600 0\n";
    int status;
    const uint64_t before = clock_monotonic_ms();
    cr_assert_eq(unshare(CLONE_NEWTIME), 0, "needs root: makes a time namespace");
    const int offsets = open("/proc/self/timens_offsets", O_WRONLY);
    cr_assert_eq(write(offsets, slept, strlen(slept)), (ssize_t)strlen(slept));
    close(offsets);
    const pid_t child = fork();
    if (child == 0) _exit(clock_monotonic_ms() - before >= 3600000 && clock_monotonic_us() / 1000 - before >= 3600000);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%#x", (unsigned)status);
}

Test(clock, wall_is_the_machines_time)
{
    const uint64_t now = (uint64_t)time(NULL);
    const uint64_t read = clock_wall_s();
    cr_expect(read + 1 >= now && read <= now + 5, "%lu %lu", (unsigned long)now, (unsigned long)read);
}
