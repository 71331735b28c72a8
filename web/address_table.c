#include "web/address_table.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <openssl/siphash.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* An address has a few places where it may be, by a hash that nobody outside can compute. */
enum { PLACES = 8, SETS = LIMIT_ADDRESSES / PLACES };

struct place {
    struct address_key key;
    uint64_t used;   /* when last; 0: free */
    uint64_t filled; /* until when the bucket has been filled */
    uint64_t tokens; /* thousandths of a handshake */
    uint32_t connections;
};

struct address_table {
    struct web_limits limits;
    uint64_t secret[2];
    uint64_t uses;
    struct place places[SETS][PLACES];
};

_Static_assert(LIMIT_ADDRESSES % PLACES == 0, "all sets are whole");

struct address_table *address_table_new(const struct web_limits *limits)
{
    struct address_table *table = calloc(1, sizeof *table);
    if (table == NULL) return NULL;
    table->limits = *limits;
    RAND_bytes((uint8_t *)table->secret, sizeof table->secret);
    return table;
}

void address_table_free(struct address_table *table)
{
    free(table);
}

struct address_key address_key_of(const struct sockaddr_storage *peer)
{
    struct address_key key = {{0}};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (peer->ss_family == AF_INET) {
        memcpy(&v4, peer, sizeof v4);
        key.bytes[0] = 4;
        memcpy(key.bytes + 1, &v4.sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        memcpy(&v6, peer, sizeof v6);
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
        key.bytes[0] = mapped ? 4 : 6;
        memcpy(key.bytes + 1, v6.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
    return key;
}

static struct place *set_of(struct address_table *table, struct address_key key)
{
    return table->places[SIPHASH_24(table->secret, key.bytes, sizeof key.bytes) % SETS];
}

/* NULL: it is not there. */
static struct place *find(struct address_table *table, struct address_key key)
{
    struct place *set = set_of(table, key);
    for (size_t i = 0; i < PLACES; i++) {
        if (set[i].used != 0 && memcmp(&set[i].key, &key, sizeof key) == 0) return &set[i];
    }
    return NULL;
}

static struct place *find_or_add(struct address_table *table, struct address_key key)
{
    struct place *place = find(table, key), *set = set_of(table, key);
    for (size_t i = 0; i < PLACES && place == NULL; i++) {
        if (set[i].used == 0) place = &set[i];
    }
    if (place == NULL) {
        place = &set[0];
        for (size_t i = 1; i < PLACES; i++) {
            const bool fewer = set[i].connections < place->connections;
            if (fewer || (set[i].connections == place->connections && set[i].used < place->used)) place = &set[i];
        }
        *place = (struct place){0};
    }
    if (place->used == 0)
        *place = (struct place){.key = key, .tokens = UINT64_C(1000) * table->limits.address_handshakes};
    place->used = ++table->uses;
    return place;
}

static void fill(struct place *place, uint64_t rate, uint64_t now)
{
    const uint64_t full = 1000 * rate, elapsed = now > place->filled ? now - place->filled : 0;
    place->filled = now;
    place->tokens = elapsed >= 1000 || place->tokens + elapsed * rate > full ? full : place->tokens + elapsed * rate;
}

enum address_verdict address_table_admit(struct address_table *table, struct address_key key, uint64_t now)
{
    const struct web_limits *limits = &table->limits;
    struct place *place = find_or_add(table, key);
    if (limits->address_connections > 0 && place->connections >= limits->address_connections) return ADDRESS_TOO_MANY;
    if (limits->address_handshakes == 0) return ADDRESS_ADMITTED;
    fill(place, limits->address_handshakes, now);
    if (place->tokens < 1000) return ADDRESS_TOO_FAST;
    place->tokens -= 1000;
    return ADDRESS_ADMITTED;
}

void address_table_enter(struct address_table *table, struct address_key key)
{
    if (table != NULL) find_or_add(table, key)->connections++;
}

void address_table_leave(struct address_table *table, struct address_key key)
{
    struct place *place = table != NULL ? find(table, key) : NULL;
    if (place != NULL && place->connections > 0) place->connections--;
}
