/* Starting, backing off, stopping, on a clock of the test's own. */
#include "broker/life.h"

#include <criterion/criterion.h>

#include "base/limits.h"

Test(life, backs_off_longer_each_time_up_to_ten_seconds)
{
    static const uint32_t waits[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    for (uint32_t i = 0; i < sizeof waits / sizeof *waits; i++) cr_assert_eq(life_backoff_ms(i + 1), waits[i]);
    cr_assert_eq(life_backoff_ms(UINT32_MAX), 10000);
}

Test(life, starts_again_when_the_wait_is_over_and_not_before)
{
    struct life life = {0};
    life_started(&life, 1000);
    cr_assert_eq(life_restarts(&life), 0);
    life_ready(&life, 1010);
    cr_assert_eq(life.state, LIFE_RUNNING);
    cr_assert_eq(life_due(&life, UINT64_MAX), LIFE_NOTHING, "what runs has no deadline");
    cr_assert_eq(life_ended(&life, 2000), 100);
    cr_assert_eq(life.state, LIFE_BACKING_OFF);
    cr_assert_eq(life_due(&life, 2099), LIFE_NOTHING);
    cr_assert_eq(life_due(&life, 2100), LIFE_START);
    cr_assert_eq(life_due(&life, 2101), LIFE_NOTHING, "said once");
    life_started(&life, 2101);
    cr_assert_eq(life_restarts(&life), 1);
}

Test(life, forgets_failures_after_a_minute_of_health)
{
    struct life life = {0};
    uint64_t now = 1000;
    for (unsigned i = 0; i < 5; i++) {
        life_started(&life, now);
        now += life_ended(&life, now);
    }
    cr_assert_eq(life.failures, 5);
    life_started(&life, now);
    life_ready(&life, now);
    cr_assert_eq(life_ended(&life, now + LIFE_HEALTHY_MS - 1), 3200);
    life_started(&life, now);
    life_ready(&life, now);
    cr_assert_eq(life_ended(&life, now + LIFE_HEALTHY_MS), 100);
}

Test(life, kills_what_is_not_ready_in_time)
{
    struct life life = {0};
    life_started(&life, 1000);
    cr_assert_eq(life_due(&life, 1000 + DEADLINE_START_MS - 1), LIFE_NOTHING);
    cr_assert_eq(life_due(&life, 1000 + DEADLINE_START_MS), LIFE_KILL);
    cr_assert_eq(life.state, LIFE_KILLED);
    cr_assert_eq(life_due(&life, UINT64_MAX), LIFE_NOTHING, "said once");
    life_ready(&life, 20000);
    cr_assert_eq(life.state, LIFE_KILLED, "too late");
    cr_assert_eq(life_ended(&life, 20000), 100);
}

Test(life, stays_down_when_it_was_stopped)
{
    struct life life = {0};
    life_started(&life, 1000);
    life_ready(&life, 1001);
    life_stop(&life, LIFE_STAYS_DOWN, 2000, 1500);
    cr_assert_eq(life_due(&life, 3499), LIFE_NOTHING);
    cr_assert_eq(life_ended(&life, 3000), 0);
    cr_assert_eq(life.state, LIFE_DOWN);
    cr_assert_eq(life_due(&life, UINT64_MAX), LIFE_NOTHING);
}

Test(life, kills_what_does_not_stop)
{
    struct life life = {0};
    life_started(&life, 1000);
    life_stop(&life, LIFE_STAYS_DOWN, 2000, 1500);
    cr_assert_eq(life_due(&life, 3500), LIFE_KILL);
    cr_assert_eq(life_ended(&life, 3600), 0);
    cr_assert_eq(life.state, LIFE_DOWN);
}

Test(life, does_not_come_back_out_of_a_back_off_when_all_stops)
{
    struct life life = {0};
    life_started(&life, 1000);
    life_ended(&life, 1001);
    life_stop(&life, LIFE_STAYS_DOWN, 1002, 1500);
    cr_assert_eq(life.state, LIFE_DOWN);
    cr_assert_eq(life_due(&life, UINT64_MAX), LIFE_NOTHING);
}

Test(life, comes_back_when_it_was_only_to_be_renewed)
{
    struct life life = {0};
    life_started(&life, 1000);
    life_ready(&life, 1001);
    life_stop(&life, LIFE_COMES_BACK, 2000, 1500);
    cr_assert_eq(life.state, LIFE_STOPPING);
    cr_assert_eq(life_ended(&life, 2010), 100);
    cr_assert_eq(life_due(&life, 2110), LIFE_START);
}

Test(life, is_given_up_once)
{
    struct life life = {0};
    cr_assert_eq(life_doom(&life), LIFE_NOTHING, "nothing to kill");
    life_started(&life, 1000);
    life_ready(&life, 1001);
    cr_assert_eq(life_doom(&life), LIFE_KILL);
    cr_assert_eq(life_doom(&life), LIFE_NOTHING);
    life_stop(&life, LIFE_STAYS_DOWN, 1002, 1500);
    cr_assert_eq(life.state, LIFE_KILLED);
    cr_assert_eq(life_ended(&life, 1003), 0);
}
