#include "web/conn_table.h"

#include "web/conn_internal.h"

void conn_table_add(struct conn_table *table, struct conn *conn)
{
    conn->prev = NULL;
    conn->next = table->first;
    if (conn->next != NULL) conn->next->prev = conn;
    table->first = conn;
    table->num++;
}

void conn_table_remove(struct conn_table *table, struct conn *conn)
{
    *(conn->prev != NULL ? &conn->prev->next : &table->first) = conn->next;
    if (conn->next != NULL) conn->next->prev = conn->prev;
    table->num--;
}

void conn_table_add_handshake(struct conn_table *table, struct conn *conn)
{
    conn->younger = NULL;
    conn->elder = table->youngest_handshake;
    *(conn->elder != NULL ? &conn->elder->younger : &table->oldest_handshake) = conn;
    table->youngest_handshake = conn;
    table->num_handshakes++;
    conn->number = ++table->last_number;
    struct conn **bucket = &table->by_number[conn->number % LIMIT_HANDSHAKES];
    conn->same_bucket = *bucket;
    *bucket = conn;
}

void conn_table_remove_handshake(struct conn_table *table, struct conn *conn)
{
    *(conn->elder != NULL ? &conn->elder->younger : &table->oldest_handshake) = conn->younger;
    *(conn->younger != NULL ? &conn->younger->elder : &table->youngest_handshake) = conn->elder;
    table->num_handshakes--;
    struct conn **at = &table->by_number[conn->number % LIMIT_HANDSHAKES];
    while (*at != conn) at = &(*at)->same_bucket;
    *at = conn->same_bucket;
}

struct conn *conn_table_find(const struct conn_table *table, uint64_t number)
{
    struct conn *conn = table->by_number[number % LIMIT_HANDSHAKES];
    while (conn != NULL && conn->number != number) conn = conn->same_bucket;
    return conn;
}
