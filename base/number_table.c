#include "base/number_table.h"

#include "base/check.h"

/* Knuth, The Art of Computer Programming, 6.4: multiplying by the golden ratio spreads numbers that follow each other. */
static uint32_t home(uint64_t number)
{
    return (uint32_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - NUMBER_TABLE_BITS));
}

static uint32_t next(uint32_t slot)
{
    return (slot + 1) % NUMBER_TABLE_SLOTS;
}

/* The slot that has the number, or the free one where it would go. Half of all are free, so there is an end. */
static uint32_t find_slot(const struct number_table *table, uint64_t number)
{
    uint32_t slot = home(number);
    while (table->slots[slot].number != 0 && table->slots[slot].number != number) slot = next(slot);
    return slot;
}

uint32_t number_table_find(const struct number_table *table, uint64_t number)
{
    if (number == 0) return NUMBER_TABLE_NONE;
    const uint32_t slot = find_slot(table, number);
    return table->slots[slot].number == number ? table->slots[slot].value : NUMBER_TABLE_NONE;
}

void number_table_put(struct number_table *table, uint64_t number, uint32_t value)
{
    CHECK(number != 0 && value != NUMBER_TABLE_NONE);
    const uint32_t slot = find_slot(table, number);
    if (table->slots[slot].number == 0) {
        CHECK(table->num < NUMBER_TABLE_MAX);
        table->num++;
    }
    table->slots[slot].number = number;
    table->slots[slot].value = value;
}

/* Whoever stands behind the hole and would be looked for through it moves up into it. */
void number_table_remove(struct number_table *table, uint64_t number)
{
    if (number == 0) return;
    uint32_t hole = find_slot(table, number);
    if (table->slots[hole].number == 0) return;
    for (uint32_t slot = next(hole); table->slots[slot].number != 0; slot = next(slot)) {
        const uint32_t wanted = home(table->slots[slot].number);
        const uint32_t from_home = (slot - wanted) % NUMBER_TABLE_SLOTS;
        if (from_home < (slot - hole) % NUMBER_TABLE_SLOTS) continue;
        table->slots[hole] = table->slots[slot];
        hole = slot;
    }
    table->slots[hole].number = 0;
    table->num--;
}
