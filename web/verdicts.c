#include "web/verdicts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/field.h"
#include "web/address_table.h"

struct row {
    struct address_key owner;
    size_t num_owned; /* rows that the owner has */
    uint64_t order;   /* of its last verdict */
    uint32_t kind;
    uint64_t count, first_ms, last_ms;
    char address[LIMIT_LABEL + 1];
    char reason[LIMIT_VERDICT_REASON + 1];
    char remedy[LIMIT_VERDICT_REMEDY + 1];
    struct certificate_text certificate;
};

struct verdicts {
    uint64_t last_order;
    size_t num;
    struct row rows[LIMIT_VERDICTS];
};

struct verdicts *verdicts_new(void)
{
    return calloc(1, sizeof(struct verdicts));
}

void verdicts_free(struct verdicts *verdicts)
{
    free(verdicts);
}

size_t verdicts_num(const struct verdicts *verdicts)
{
    return verdicts != NULL ? verdicts->num : 0;
}

/* "192.0.2.1" of "192.0.2.1:40000", "[::1]" of "[::1]:40000". */
static size_t host_len(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon != NULL ? (size_t)(colon - address) : strlen(address);
}

/* One client's, as limits count them. */
static struct address_key owner_of(const char *address)
{
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_storage storage = {0};
    const bool bracketed = address[0] == '[';
    const size_t len = host_len(address);
    snprintf(host, sizeof host, "%.*s", (int)(bracketed && len > 2 ? len - 2 : len), address + (bracketed ? 1 : 0));
    if (bracketed && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) memcpy(&storage, &in6, sizeof in6);
    if (!bracketed && inet_pton(AF_INET, host, &in.sin_addr) == 1) memcpy(&storage, &in, sizeof in);
    return address_key_of(&storage);
}

static bool same_owner(const struct row *row, const struct address_key *owner)
{
    return memcmp(&row->owner, owner, sizeof *owner) == 0;
}

static bool same_verdict(const struct row *row, const struct row *other)
{
    return row->kind == other->kind && strcmp(row->reason, other->reason) == 0 &&
           strcmp(row->certificate.fingerprint, other->certificate.fingerprint) == 0;
}

/* The oldest row of this owner. NULL: it has none. */
static struct row *oldest_of(struct verdicts *verdicts, const struct address_key *owner)
{
    struct row *oldest = NULL;
    for (size_t i = 0; i < verdicts->num; i++) {
        struct row *row = &verdicts->rows[i];
        if (same_owner(row, owner) && (oldest == NULL || row->order < oldest->order)) oldest = row;
    }
    return oldest;
}

/* Of a full table: the oldest row of whoever has the most, and where several have as many, the oldest of theirs. */
static struct row *least_missed(struct verdicts *verdicts)
{
    struct row *least = &verdicts->rows[0];
    for (size_t i = 1; i < verdicts->num; i++) {
        struct row *row = &verdicts->rows[i];
        if (row->num_owned > least->num_owned || (row->num_owned == least->num_owned && row->order < least->order))
            least = row;
    }
    return least;
}

/* The owner has one row more, or one less. */
static void count_owned(struct verdicts *verdicts, const struct address_key *owner, size_t num)
{
    for (size_t i = 0; i < verdicts->num; i++) {
        if (same_owner(&verdicts->rows[i], owner)) verdicts->rows[i].num_owned = num;
    }
}

/* The row that a new verdict takes. */
static struct row *take_row(struct verdicts *verdicts, struct row *next)
{
    struct row *oldest = oldest_of(verdicts, &next->owner);
    next->num_owned = oldest != NULL ? oldest->num_owned : 0;
    if (next->num_owned == LIMIT_VERDICTS_EACH) return oldest;
    next->num_owned++;
    struct row *row;
    if (verdicts->num < LIMIT_VERDICTS) {
        row = &verdicts->rows[verdicts->num++];
    } else {
        row = least_missed(verdicts);
        const struct address_key loser = row->owner;
        count_owned(verdicts, &loser, row->num_owned - 1);
        if (same_owner(row, &next->owner)) next->num_owned--;
    }
    count_owned(verdicts, &next->owner, next->num_owned);
    return row;
}

static struct row *find(struct verdicts *verdicts, const struct row *wanted)
{
    for (size_t i = 0; i < verdicts->num; i++) {
        struct row *row = &verdicts->rows[i];
        if (same_owner(row, &wanted->owner) && same_verdict(row, wanted)) return row;
    }
    return NULL;
}

/* Texts of a client's are to travel in a message, whatever they are. */
static void fill(struct row *out, const struct verdict_note *note)
{
    *out = (struct row){.owner = owner_of(note->address), .kind = note->kind};
    field_text_repair(out->address, sizeof out->address, note->address);
    field_text_repair(out->reason, sizeof out->reason, note->reason);
    field_text_repair(out->remedy, sizeof out->remedy, note->remedy);
    if (note->certificate == NULL || note->certificate->fingerprint[0] == '\0') return;
    out->certificate = *note->certificate;
    field_text_repair(out->certificate.subject, sizeof out->certificate.subject, note->certificate->subject);
    field_text_repair(out->certificate.issuer, sizeof out->certificate.issuer, note->certificate->issuer);
}

void verdicts_add(struct verdicts *verdicts, const struct verdict_note *note, uint64_t now_ms)
{
    struct row next;
    if (verdicts == NULL) return;
    fill(&next, note);
    struct row *row = find(verdicts, &next);
    next.order = ++verdicts->last_order;
    next.count = row != NULL ? row->count + 1 : 1;
    next.first_ms = row != NULL ? row->first_ms : now_ms;
    next.last_ms = now_ms;
    if (row != NULL)
        next.num_owned = row->num_owned;
    else
        row = take_row(verdicts, &next);
    *row = next;
}

static bool is_wanted(const struct row *row, const char *host, uint64_t before)
{
    if (row->order >= before) return false;
    if (host == NULL || host[0] == '\0') return true;
    return strlen(host) == host_len(row->address) && strncmp(host, row->address, strlen(host)) == 0;
}

/* The latest that is older than before. NULL: there is none. */
static const struct row *next_wanted(const struct verdicts *verdicts, const char *host, uint64_t before)
{
    const struct row *latest = NULL;
    for (size_t i = 0; i < verdicts->num; i++) {
        const struct row *row = &verdicts->rows[i];
        if (is_wanted(row, host, before) && (latest == NULL || row->order > latest->order)) latest = row;
    }
    return latest;
}

size_t verdicts_list(const struct verdicts *verdicts, struct verdict out[LIMIT_EXPLANATION],
                     const struct explain_query *query)
{
    const struct row *row = verdicts != NULL ? next_wanted(verdicts, query->host, UINT64_MAX) : NULL;
    size_t num = 0;
    for (; row != NULL && num < query->max && num < LIMIT_EXPLANATION; num++) {
        out[num] = (struct verdict){
            .address = row->address,
            .kind = row->kind,
            .count = row->count,
            .first_ms = row->first_ms,
            .last_ms = row->last_ms,
            .reason = row->reason,
            .remedy = row->remedy,
            .subject = row->certificate.subject,
            .issuer = row->certificate.issuer,
            .serial = row->certificate.serial,
            .fingerprint = row->certificate.fingerprint,
            .not_before = row->certificate.not_before,
            .not_after = row->certificate.not_after,
        };
        row = next_wanted(verdicts, query->host, row->order);
    }
    return num;
}
