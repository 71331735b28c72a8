#include "base/number_table.h"

#include <criterion/criterion.h>

static struct number_table table;

Test(number_table, finds_what_was_put)
{
    cr_assert_eq(number_table_find(&table, 7), NUMBER_TABLE_NONE);
    cr_assert_eq(number_table_find(&table, 0), NUMBER_TABLE_NONE);
    number_table_put(&table, 7, 0);
    number_table_put(&table, UINT64_MAX, 5);
    cr_assert_eq(number_table_find(&table, 7), 0);
    cr_assert_eq(number_table_find(&table, UINT64_MAX), 5);
    number_table_put(&table, 7, 9);
    cr_assert_eq(number_table_find(&table, 7), 9);
    cr_assert_eq(table.num, 2);
    number_table_remove(&table, 8);
    number_table_remove(&table, 0);
    number_table_remove(&table, 7);
    cr_assert_eq(number_table_find(&table, 7), NUMBER_TABLE_NONE);
    cr_assert_eq(table.num, 1);
}

/* As full as it may be, in an order that leaves holes everywhere. */
Test(number_table, holds_as_many_as_it_may)
{
    for (uint32_t i = 0; i < NUMBER_TABLE_MAX; i++) number_table_put(&table, 3 * (uint64_t)i + 1, i);
    cr_assert_eq(table.num, NUMBER_TABLE_MAX);
    for (uint32_t i = 0; i < NUMBER_TABLE_MAX; i++)
        cr_assert_eq(number_table_find(&table, 3 * (uint64_t)i + 1), i, "%u of %u", i, NUMBER_TABLE_MAX);
    for (uint32_t i = 0; i < NUMBER_TABLE_MAX; i += 2) number_table_remove(&table, 3 * (uint64_t)i + 1);
    for (uint32_t i = 0; i < NUMBER_TABLE_MAX; i++)
        cr_assert_eq(number_table_find(&table, 3 * (uint64_t)i + 1), i % 2 ? i : NUMBER_TABLE_NONE, "%u", i);
    for (uint32_t i = 1; i < NUMBER_TABLE_MAX; i += 2) number_table_remove(&table, 3 * (uint64_t)i + 1);
    cr_assert_eq(table.num, 0);
    for (uint32_t i = 0; i < NUMBER_TABLE_SLOTS; i++) cr_assert_eq(table.slots[i].number, 0, "%u is left", i);
}

/* Numbers that all want the same place, across the array's end. */
Test(number_table, tells_numbers_of_one_place_apart)
{
    uint64_t same[8];
    uint32_t found = 0;
    for (uint64_t number = 1; found < 8; number++) {
        if ((number * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - NUMBER_TABLE_BITS) == NUMBER_TABLE_SLOTS - 2)
            same[found++] = number;
    }
    for (uint32_t gone = 0; gone < 8; gone++) {
        for (uint32_t i = 0; i < 8; i++) number_table_put(&table, same[i], i);
        number_table_remove(&table, same[gone]);
        for (uint32_t i = 0; i < 8; i++)
            cr_assert_eq(number_table_find(&table, same[i]), i == gone ? NUMBER_TABLE_NONE : i);
        cr_assert_eq(table.num, 7);
    }
}

/* Numbers whose places are all over each other's, put and removed in no order, beside a plain list of what is there. */
Test(number_table, forgets_nobody_but_whom_it_is_told_to)
{
    static uint32_t there[1000]; /* the value of number i + 1's; 0: it is not there */
    uint64_t numbers[1000];
    uint32_t num = 0, random = 1;
    for (uint64_t number = 1; num < 1000; number++) { /* homes in 500 neighbouring slots */
        if ((number * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - NUMBER_TABLE_BITS) < 500) numbers[num++] = number;
    }
    for (uint32_t i = 1; i <= 5000; i++) {
        random = random * 1103515245u + 12345u;
        const uint32_t which = (random >> 8) % 1000;
        if (there[which] != 0) {
            number_table_remove(&table, numbers[which]);
            there[which] = 0;
        } else {
            number_table_put(&table, numbers[which], i);
            there[which] = i;
        }
        if (i % 50 != 0) continue;
        for (uint32_t j = 0; j < 1000; j++)
            cr_assert_eq(number_table_find(&table, numbers[j]), there[j] != 0 ? there[j] : NUMBER_TABLE_NONE);
    }
}
