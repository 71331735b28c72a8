#include "web/server_names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host_name.h"

/* In lower case. */
struct entry {
    char *name;
    uint32_t places;
};

struct server_names {
    size_t num;
    size_t of_place[SERVER_NAMES_PLACES];
    struct entry entries[SERVER_NAMES_PLACES * LIMIT_SERVER_NAMES];
};

struct server_names *server_names_new(void)
{
    return calloc(1, sizeof(struct server_names));
}

void server_names_free(struct server_names *names)
{
    if (names == NULL) return;
    for (size_t i = 0; i < names->num; i++) free(names->entries[i].name);
    free(names);
}

/* ASCII alone, whatever the locale. */
static void to_lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a');
}

enum err server_names_add(struct server_names *names, unsigned place, const char *name)
{
    const bool is_name = strchr(name, '*') == NULL ? name[0] != '\0' : host_name_is_wildcard(name);
    if (!is_name || strlen(name) > LIMIT_NAME) return ERR_OK;
    if (names->of_place[place] == LIMIT_SERVER_NAMES) return ERR_TOO_LARGE;
    char *copy = strdup(name);
    if (copy == NULL) return ERR_MEMORY;
    to_lower(copy);
    names->of_place[place]++;
    names->entries[names->num++] = (struct entry){copy, UINT32_C(1) << place};
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    return strcmp(one->name, other->name);
}

void server_names_sort(struct server_names *names)
{
    size_t num = 0;
    qsort(names->entries, names->num, sizeof names->entries[0], compare);
    for (size_t i = 0; i < names->num; i++) {
        struct entry *entry = &names->entries[i];
        if (num > 0 && compare(entry, &names->entries[num - 1]) == 0) {
            names->entries[num - 1].places |= entry->places;
            free(entry->name);
        } else {
            names->entries[num++] = *entry;
        }
    }
    names->num = num;
}

static uint32_t places_of(const struct server_names *names, char *name)
{
    const struct entry wanted = {.name = name};
    const struct entry *found = bsearch(&wanted, names->entries, names->num, sizeof names->entries[0], compare);
    return found != NULL ? found->places : 0;
}

struct server_places server_names_find(const struct server_names *names, const char *name)
{
    struct server_places places = {0, 0};
    char lower[LIMIT_NAME + 1];
    const size_t len = strlen(name);
    if (len == 0 || len > LIMIT_NAME || strchr(name, '*') != NULL) return places;
    memcpy(lower, name, len + 1);
    to_lower(lower);
    places.exact = places_of(names, lower);
    char *rest = strchr(lower, '.');
    if (rest == NULL || rest == lower) return places;
    *--rest = '*'; /* over the last letter of the first label */
    places.wildcard = places_of(names, rest);
    return places;
}

/* The host as certificates have it: without a port, an address without brackets and in its one form. */
static bool read_host(char out[LIMIT_NAME + 1], const char *authority)
{
    uint8_t address[sizeof(struct in6_addr)];
    const bool is_literal = authority[0] == '[';
    const size_t len = is_literal ? strcspn(authority + 1, "]") : strcspn(authority, ":");
    if (len > LIMIT_NAME) return false;
    memcpy(out, authority + is_literal, len);
    out[len] = '\0';
    if (inet_pton(AF_INET, out, address) == 1) return inet_ntop(AF_INET, address, out, LIMIT_NAME + 1) != NULL;
    if (inet_pton(AF_INET6, out, address) == 1) return inet_ntop(AF_INET6, address, out, LIMIT_NAME + 1) != NULL;
    /* With the root's dot it is the same host, but SNI leaves that out (RFC 6066, 3). */
    if (len > 1 && out[len - 1] == '.') out[len - 1] = '\0';
    return len > 0;
}

bool server_names_misdirected(const struct server_names *names, unsigned place, const char *authority)
{
    char host[LIMIT_NAME + 1];
    if (!read_host(host, authority)) return false;
    const struct server_places found = server_names_find(names, host);
    const uint32_t places = found.exact | found.wildcard;
    return places != 0 ? (places & UINT32_C(1) << place) == 0 : place != 0;
}
