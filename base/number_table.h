/* A table from numbers to small ones: which slot has the grant of this number. Open addressing in an array of fixed size,
 * so that looking up costs the same however much is in it, and only what is used touches memory. Zero state: empty.
 *
 * The numbers are the broker's own, given out one after another; nobody outside can choose them to collide. */
#ifndef KEYWARD_BASE_NUMBER_TABLE_H
#define KEYWARD_BASE_NUMBER_TABLE_H

#include <stdint.h>

#include "base/limits.h"

/* Twice as many as it may hold: a row for each channel, or for each event that waits. */
#define NUMBER_TABLE_BITS 16u
#define NUMBER_TABLE_SLOTS (1u << NUMBER_TABLE_BITS)
#define NUMBER_TABLE_MAX (NUMBER_TABLE_SLOTS / 2)
_Static_assert(NUMBER_TABLE_MAX >= LIMIT_GRANTS && NUMBER_TABLE_MAX >= LIMIT_KEYD_EVENTS, "the table holds all");

#define NUMBER_TABLE_NONE UINT32_MAX

struct number_table {
    uint32_t num;
    struct {
        uint64_t number; /* 0: free */
        uint32_t value;
    } slots[NUMBER_TABLE_SLOTS];
};

/* number_table_find returns the value of number, NUMBER_TABLE_NONE if it has none. */
uint32_t number_table_find(const struct number_table *table, uint64_t number);

/* number_table_put gives number, which is not 0, a value, which is not NUMBER_TABLE_NONE. At most NUMBER_TABLE_MAX numbers
 * have one. */
void number_table_put(struct number_table *table, uint64_t number, uint32_t value);

/* number_table_remove forgets number, if it is there. */
void number_table_remove(struct number_table *table, uint64_t number);

#endif
