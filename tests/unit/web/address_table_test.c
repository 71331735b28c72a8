#include "web/address_table.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

static struct address_key key_of(const char *text)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(7)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&peer, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&peer, &v6, sizeof v6);
    return address_key_of(&peer);
}

static bool same(const char *a, const char *b)
{
    struct address_key left = key_of(a), right = key_of(b);
    return memcmp(&left, &right, sizeof left) == 0;
}

Test(address_table, knows_clients_by_what_they_have_to_themselves)
{
    cr_assert(same("192.0.2.1", "192.0.2.1"));
    cr_assert(same("192.0.2.1", "::ffff:192.0.2.1"));
    cr_assert_not(same("192.0.2.1", "192.0.2.2"));
    cr_assert(same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
    cr_assert_not(same("2001:db8:0:1::1", "2001:db8:0:2::1"));
}

Test(address_table, counts_connections_up_to_the_limit)
{
    struct address_table *table = address_table_new(&(struct web_limits){.address_connections = 3});
    struct address_key one = key_of("192.0.2.1"), other = key_of("192.0.2.2");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(address_table_admit(table, one, 0), ADDRESS_ADMITTED);
        address_table_enter(table, one);
    }
    cr_assert_eq(address_table_admit(table, one, 0), ADDRESS_TOO_MANY);
    cr_assert_eq(address_table_admit(table, other, 0), ADDRESS_ADMITTED);
    address_table_leave(table, one);
    cr_assert_eq(address_table_admit(table, one, 0), ADDRESS_ADMITTED);
    address_table_free(table);
}

Test(address_table, lets_so_many_begin_in_a_second)
{
    struct address_table *table = address_table_new(&(struct web_limits){.address_handshakes = 4});
    struct address_key one = key_of("192.0.2.1");
    uint64_t now = 1000000;
    for (int i = 0; i < 4; i++) cr_assert_eq(address_table_admit(table, one, now), ADDRESS_ADMITTED);
    cr_assert_eq(address_table_admit(table, one, now), ADDRESS_TOO_FAST);
    cr_assert_eq(address_table_admit(table, one, now + 249), ADDRESS_TOO_FAST);
    cr_assert_eq(address_table_admit(table, one, now + 250), ADDRESS_ADMITTED);
    cr_assert_eq(address_table_admit(table, one, now + 250), ADDRESS_TOO_FAST);
    cr_assert_eq(address_table_admit(table, key_of("192.0.2.2"), now + 250), ADDRESS_ADMITTED);
    now += 1000000; /* never more than a second's at once */
    for (int i = 0; i < 4; i++) cr_assert_eq(address_table_admit(table, one, now), ADDRESS_ADMITTED);
    cr_assert_eq(address_table_admit(table, one, now), ADDRESS_TOO_FAST);
    address_table_free(table);
}

Test(address_table, forgets_those_with_the_fewest_connections)
{
    struct address_table *table = address_table_new(&(struct web_limits){.address_connections = 2});
    struct address_key kept = key_of("192.0.2.1");
    address_table_enter(table, kept);
    address_table_enter(table, kept);
    for (uint32_t i = 0; i < 20 * LIMIT_ADDRESSES; i++) {
        char text[INET_ADDRSTRLEN];
        struct in_addr address = {htonl(0x0a000000 + i)};
        inet_ntop(AF_INET, &address, text, sizeof text);
        cr_assert_eq(address_table_admit(table, key_of(text), 0), ADDRESS_ADMITTED);
        address_table_leave(table, key_of(text)); /* was never counted */
    }
    cr_assert_eq(address_table_admit(table, kept, 0), ADDRESS_TOO_MANY);
    address_table_free(table);
}
