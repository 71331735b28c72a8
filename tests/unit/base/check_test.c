#include "base/check.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(check, goes_on_when_the_condition_holds)
{
    int evaluated = 0;
    CHECK(++evaluated == 1);
    cr_expect_eq(evaluated, 1, "the condition is evaluated once");
}

Test(check, stops_the_process_when_it_does_not, .signal = SIGILL)
{
    CHECK(1 + 1 == 3);
}
