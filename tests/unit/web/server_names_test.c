/* The table of which names choose which certificates. */
#include "web/server_names.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct server_names *names;

static void add(unsigned place, const char *name)
{
    cr_assert_eq(server_names_add(names, place, name), ERR_OK, "%s", name);
}

static void setup(void)
{
    names = server_names_new();
    add(0, "localhost");
    add(0, "127.0.0.1");
    add(0, "::1");
    add(1, "shop.example");
    add(1, "Market.Example");
    add(2, "*.shop.example");
    add(2, "both.example");
    add(3, "a.shop.example");
    add(3, "both.example");
    add(3, "*.Shop.Example");
    server_names_sort(names);
}

static void cleanup(void)
{
    server_names_free(names);
}

TestSuite(server_names, .init = setup, .fini = cleanup);

Test(server_names, find_each_certificate_with_the_name)
{
    static const struct {
        const char *name;
        uint32_t exact, wildcard;
    } rows[] = {
        {"localhost", 1, 0},
        {"LOCALHOST", 1, 0},
        {"127.0.0.1", 1, 0},
        {"::1", 1, 0},
        {"shop.example", 2, 0},
        {"market.example", 2, 0},
        {"MARKET.example", 2, 0},
        {"a.shop.example", 8, 12},
        {"b.shop.example", 0, 12},
        {"B.SHOP.EXAMPLE", 0, 12},
        {"both.example", 12, 0},
        {"a.b.shop.example", 0, 0},
        {".shop.example", 0, 0},
        {"*.shop.example", 0, 0},
        {"ashop.example", 0, 0},
        {"shop.example.", 0, 0},
        {"shop", 0, 0},
        {"example", 0, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct server_places places = server_names_find(names, rows[i].name);
        cr_expect_eq(places.exact, rows[i].exact, "'%s': %u", rows[i].name, places.exact);
        cr_expect_eq(places.wildcard, rows[i].wildcard, "'%s': %u", rows[i].name, places.wildcard);
    }
}

Test(server_names, a_request_belongs_to_a_certificate_with_its_hosts_name)
{
    static const struct {
        const char *authority;
        uint32_t good; /* the places where it may come */
    } rows[] = {
        {"localhost", 1},           {"localhost:9000", 1},    {"127.0.0.1:9000", 1}, {"[::1]", 1},
        {"[0:0:0:0:0:0:0:1]:9", 1}, {"shop.example:443", 2},  {"SHOP.example", 2},   {"a.shop.example", 12},
        {"c.shop.example:1", 12},   {"both.example", 12},     {"nobody.example", 1}, {"192.0.2.1", 1},
        {"[2001:db8::1]:9", 1},     {"shop.example.:443", 2}, {"*.shop.example", 1}, {"shop.example..", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned place = 0; place < 4; place++) {
            const bool is_good = (rows[i].good & 1u << place) != 0;
            cr_expect_neq(server_names_misdirected(names, place, rows[i].authority), is_good, "'%s' at %u",
                          rows[i].authority, place);
        }
    }
    for (unsigned place = 0; place < 4; place++)
        cr_expect_not(server_names_misdirected(names, place, ""), "HTTP/1.0 without a Host");
}

Test(server_names, what_is_no_name_is_left_out)
{
    struct server_names *others = server_names_new();
    static const char *const rows[] = {"", "*", "*.example", "a*.shop.example", "shop.*.example"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) cr_assert_eq(server_names_add(others, 1, rows[i]), ERR_OK);
    server_names_sort(others);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(server_names_find(others, rows[i]).exact, 0, "'%s'", rows[i]);
    cr_expect_eq(server_names_find(others, "x.example").wildcard, 0);
    server_names_free(others);
}

Test(server_names, has_room_for_as_many_as_the_limits_say)
{
    struct server_names *full = server_names_new();
    char name[LIMIT_NAME + 2];
    for (unsigned place = 0; place < SERVER_NAMES_PLACES; place++) {
        for (unsigned i = 0; i < LIMIT_SERVER_NAMES; i++) {
            snprintf(name, sizeof name, "n%u.p%u.example", i, place);
            cr_assert_eq(server_names_add(full, place, name), ERR_OK);
        }
        cr_assert_eq(server_names_add(full, place, "more.example"), ERR_TOO_LARGE);
    }
    server_names_sort(full);
    for (unsigned place = 0; place < SERVER_NAMES_PLACES; place++) {
        snprintf(name, sizeof name, "n%u.p%u.example", LIMIT_SERVER_NAMES - 1, place);
        cr_expect_eq(server_names_find(full, name).exact, UINT32_C(1) << place);
    }
    server_names_free(full);
}

Test(server_names, the_longest_name_and_a_longer_one)
{
    struct server_names *one = server_names_new();
    char name[LIMIT_NAME + 2];
    memset(name, 'a', sizeof name);
    name[0] = 'x';
    name[1] = '.';
    name[LIMIT_NAME] = '\0';
    cr_assert_eq(server_names_add(one, 1, name), ERR_OK);
    server_names_sort(one);
    cr_expect_eq(server_names_find(one, name).exact, 2);
    name[LIMIT_NAME] = 'a';
    name[LIMIT_NAME + 1] = '\0';
    cr_expect_eq(server_names_find(one, name).exact, 0);
    cr_expect_not(server_names_misdirected(one, 0, name), "no host is that long");
    server_names_free(one);
}
