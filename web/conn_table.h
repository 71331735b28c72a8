/* The connections of a worker: all of them, and, by age, those whose handshake is not done. */
#ifndef KEYWARD_WEB_CONN_TABLE_H
#define KEYWARD_WEB_CONN_TABLE_H

#include <stddef.h>

struct conn;

/* Zero state: none. */
struct conn_table {
    struct conn *first;
    size_t num;
    struct conn *oldest_handshake, *youngest_handshake;
    size_t num_handshakes;
};

void conn_table_add(struct conn_table *table, struct conn *conn);
void conn_table_remove(struct conn_table *table, struct conn *conn);

void conn_table_add_handshake(struct conn_table *table, struct conn *conn);
void conn_table_remove_handshake(struct conn_table *table, struct conn *conn);

#endif
