#include "base/host_name.h"

#include <criterion/criterion.h>

Test(host_name, a_name_is_itself_whatever_its_case)
{
    cr_expect(host_name_matches("Shop.Example", "shop.example"));
    cr_expect_not(host_name_matches("shop.example", "shop.exampl"));
    cr_expect_not(host_name_matches("shop.example", "shop.example2"));
    cr_expect_not(host_name_matches("shop.example", "a.shop.example"));
    cr_expect_not(host_name_matches("", ""));
    cr_expect_not(host_name_matches("shop.example", ""));
}

Test(host_name, a_wildcard_is_one_whole_label)
{
    static const char *const good[] = {"a.shop.example", "A.SHOP.EXAMPLE", "xn--bcher-kva.shop.example"};
    static const char *const bad[] = {
        "shop.example", ".shop.example", "a.b.shop.example", "*.shop.example", "ashop.example", "a.shop.example.", ""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect(host_name_matches("*.shop.example", good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(host_name_matches("*.shop.example", bad[i]), "'%s'", bad[i]);
}

Test(host_name, other_stars_are_nobodys)
{
    static const char *const patterns[] = {"*",
                                           "*.",
                                           "*.example",
                                           "*.example.",
                                           "*..example",
                                           "a*.shop.example",
                                           "*a.shop.example",
                                           "shop.*.example",
                                           "*.*.example"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        cr_expect_not(host_name_is_wildcard(patterns[i]), "'%s'", patterns[i]);
        cr_expect_not(host_name_matches(patterns[i], "a.shop.example"), "'%s'", patterns[i]);
        cr_expect_not(host_name_matches(patterns[i], "a.example"), "'%s'", patterns[i]);
        cr_expect_not(host_name_matches(patterns[i], patterns[i]), "'%s'", patterns[i]);
    }
    cr_expect(host_name_is_wildcard("*.shop.example"));
}
