/* How many connections each client address has, and how fast it begins new ones: the operator's limits, of this worker. The table
 * is of fixed size; where it is full, the address with the fewest connections is forgotten, and begins anew when it comes again. */
#ifndef KEYWARD_WEB_ADDRESS_TABLE_H
#define KEYWARD_WEB_ADDRESS_TABLE_H

#include <stdint.h>
#include <sys/socket.h>

#include "proto/message.h"

struct address_table;

/* An IPv4 address, or the first 64 bits of an IPv6 address: that much one client has to itself. */
struct address_key {
    uint8_t bytes[9];
};

enum address_verdict {
    ADDRESS_ADMITTED,
    ADDRESS_TOO_MANY, /* connections */
    ADDRESS_TOO_FAST, /* handshakes */
};

/* address_table_new makes an empty one. NULL: no memory. */
struct address_table *address_table_new(const struct web_limits *limits);
void address_table_free(struct address_table *table);

struct address_key address_key_of(const struct sockaddr_storage *peer);

/* address_table_admit says whether the address may begin one more connection now (clock_monotonic_ms), and if so charges it one
 * handshake: a bucket of limits->address_handshakes, which as many a second flow into. */
enum address_verdict address_table_admit(struct address_table *table, struct address_key key, uint64_t now);

/* address_table_enter counts a connection, address_table_leave takes it back. A NULL table does nothing. */
void address_table_enter(struct address_table *table, struct address_key key);
void address_table_leave(struct address_table *table, struct address_key key);

#endif
