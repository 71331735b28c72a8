#include "keyd/name.h"

#include <criterion/criterion.h>
#include <string.h>

Test(name, takes_host_names)
{
    const char *const good[] = {"localhost", "a", "A.b-c.example", "xn--bcher-kva.example", "1.example", "3com.com"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) cr_assert(name_is_dns(good[i]), "%s", good[i]);
}

Test(name, refuses_everything_else)
{
    const char *const bad[] = {
        "",         ".",         "a.", ".a",   "a..b", "-a",  "a-",   "a.-b.c", "*.example.com", "a b",   "a_b",
        "\xc3\xbc", "127.0.0.1", "1",  "a.42", "a,b",  "a/b", "a\nb", "a:443",  "CN=x",          "[::1]", "user@host"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) cr_assert_not(name_is_dns(bad[i]), "%s", bad[i]);
}

Test(name, knows_the_longest)
{
    char name[300];
    memset(name, 'a', sizeof(name));
    name[63] = '\0';
    cr_assert(name_is_dns(name));
    name[63] = 'a';
    name[64] = '\0';
    cr_assert_not(name_is_dns(name), "a label of 64");
    memset(name, 'a', sizeof(name));
    for (size_t i = 63; i < sizeof(name); i += 64) name[i] = '.';
    name[253] = '\0';
    cr_assert(name_is_dns(name));
    name[253] = 'a';
    name[254] = '\0';
    cr_assert_not(name_is_dns(name), "254 characters");
}
