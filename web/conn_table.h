/* The connections of a worker: all of them; by age, those whose handshake is not done; and these by their number. */
#ifndef KEYWARD_WEB_CONN_TABLE_H
#define KEYWARD_WEB_CONN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct conn;

/* Zero state: none. */
struct conn_table {
    struct conn *first;
    size_t num;
    struct conn *oldest_handshake, *youngest_handshake;
    size_t num_handshakes;
    uint64_t last_number;
    struct conn *by_number[LIMIT_HANDSHAKES]; /* handshakes, modulo the size; linked by same_bucket */
};

void conn_table_add(struct conn_table *table, struct conn *conn);
void conn_table_remove(struct conn_table *table, struct conn *conn);

/* conn_table_add_handshake also gives the connection its number, which no other ever has. */
void conn_table_add_handshake(struct conn_table *table, struct conn *conn);
void conn_table_remove_handshake(struct conn_table *table, struct conn *conn);

/* conn_table_find returns the handshake with this number. NULL: it is over. */
struct conn *conn_table_find(const struct conn_table *table, uint64_t number);

#endif
