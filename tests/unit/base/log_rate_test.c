#include <criterion/criterion.h>

#include "base/log_rate.h"

Test(log_rate, admits_so_many_in_a_second_and_not_one_more)
{
    struct log_rate rate = {0};
    uint64_t withheld;
    for (int i = 0; i < 3; i++) cr_assert(log_rate_admit(&rate, &withheld, 5000 + (uint64_t)i, 3));
    cr_assert_not(log_rate_admit(&rate, &withheld, 5999, 3));
    cr_assert(log_rate_admit(&rate, &withheld, 6000, 3));
}

Test(log_rate, tells_once_how_many_it_withheld)
{
    struct log_rate rate = {0};
    uint64_t withheld = 77;
    cr_assert(log_rate_admit(&rate, &withheld, 1000, 1));
    cr_assert_eq(withheld, 0);
    for (int i = 0; i < 4; i++) cr_assert_not(log_rate_admit(&rate, &withheld, 1001, 1));
    cr_assert(log_rate_admit(&rate, &withheld, 2000, 1));
    cr_assert_eq(withheld, 4);
    cr_assert(log_rate_admit(&rate, &withheld, 3000, 1));
    cr_assert_eq(withheld, 0);
}
