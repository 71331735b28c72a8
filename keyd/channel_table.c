#include "keyd/channel_table.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "keyd/binding.h"
#include "keyd/channel.h"
#include "keyd/secret_memory.h"

static const enum link_role roles[PURPOSE_NUM] = {
    [PURPOSE_TLS_SERVER] = LINK_SIGN_SERVER,
    [PURPOSE_TLS_CLIENT] = LINK_SIGN_CLIENT,
    [PURPOSE_BROWSER_DIGEST] = LINK_SIGN_BROWSER,
    [PURPOSE_GATEWAY] = LINK_SIGN_GATEWAY,
};

void channel_table_report_event(struct channel_table *table, struct keyd_event *event, const struct ucred *sender)
{
    if (sender != NULL) {
        event->pid = (uint32_t)sender->pid;
        event->uid = sender->uid;
    }
    events_add(table->events, event);
    table->notify(table->context);
}

void channel_table_report(struct channel_table *table, uint64_t grant, enum grant_event what, enum refusal reason,
                          const struct ucred *sender)
{
    struct keyd_event event = {.grant = grant, .what = what, .reason = reason};
    channel_table_report_event(table, &event, sender);
}

/* The channel of a grant; NULL: none. */
struct channel *channel_table_find(struct channel_table *table, uint64_t grant)
{
    const uint32_t slot = number_table_find(&table->by_name, grant);
    return slot != NUMBER_TABLE_NONE ? &table->slots[slot] : NULL;
}

void channel_table_give_back(struct channel *channel)
{
    struct channel_table *table = channel->table;
    number_table_remove(&table->by_name, channel->grant.id);
    channel->grant.id = 0;
    channel->next_free = table->first_free;
    table->first_free = channel;
    table->num--;
}

void channel_table_remove_server(struct channel *channel)
{
    struct channel_table *table = channel->table;
    if (channel->source == NULL) return;
    *(channel->prev_server != NULL ? &channel->prev_server->next_server : &table->servers) = channel->next_server;
    if (channel->next_server != NULL) channel->next_server->prev_server = channel->prev_server;
    expectation_source_free(&table->expectations, channel->source);
    channel->source = NULL;
    keystores_leave(&table->keystores, channel->keys);
    channel->keys = NULL;
    table->num_servers--;
}

struct channel_table *channel_table_new(struct ev_loop *loop, struct events *events, channel_table_notify notify,
                                        void *context)
{
    struct channel_table *table = calloc(1, sizeof(*table));
    if (table == NULL) return NULL;
    table->loop = loop;
    table->events = events;
    table->notify = notify;
    table->context = context;
    table->arena = codec_arena_new(LIMIT_SIGN_ARENA);
    table->servers_arena = codec_arena_new(LIMIT_SIGN_ARENA);
    if (table->arena != NULL && table->servers_arena != NULL) return table;
    channel_table_free(table);
    return NULL;
}

void channel_table_free(struct channel_table *table)
{
    if (table == NULL) return;
    for (size_t i = 0; i < table->num_slots; i++) {
        if (table->slots[i].grant.id != 0) channel_close(&table->slots[i]);
    }
    codec_arena_free(table->arena);
    codec_arena_free(table->servers_arena);
    keystores_free(&table->keystores);
    free(table);
}

enum err channel_table_serve(struct channel_table *table, uint64_t setup, struct keystore *keystore)
{
    return keystores_add(&table->keystores, setup, keystore);
}

struct keystore *channel_table_in_force(const struct channel_table *table)
{
    return keystores_in_force(&table->keystores);
}

struct keystore *channel_table_newest(const struct channel_table *table)
{
    return keystores_newest(&table->keystores);
}

void channel_table_settle(struct channel_table *table, uint64_t setup)
{
    keystores_settle(&table->keystores, setup);
}

static struct channel *table_take_slot(struct channel_table *table, uint64_t grant)
{
    struct channel *slot = table->first_free;
    if (slot != NULL)
        table->first_free = slot->next_free;
    else if (table->num_slots < LIMIT_GRANTS)
        slot = &table->slots[table->num_slots++];
    if (slot == NULL) return NULL;
    slot->table = table;
    slot->source = NULL;
    slot->keys = NULL;
    slot->grant.id = grant;
    number_table_put(&table->by_name, grant, (uint32_t)(slot - table->slots));
    table->num++;
    return slot;
}

/* A handle for a foreign server, if there is a CA: one that could never be used is not opened. */
static enum refusal pin_server(struct grant *grant, struct bytes ca)
{
    if (ca.len == 0) return REFUSAL_NONE;
    if (grant->purpose != PURPOSE_TLS_CLIENT) return REFUSAL_PARAMETERS;
    const enum refusal refusal = binding_can(&(struct binding_server){.name = grant->server, .ca = ca});
    if (refusal != REFUSAL_NONE) return refusal;
    return grant_pin_ca(grant, ca) ? REFUSAL_NONE : REFUSAL_INTERNAL;
}

/* A derived one is not served unless the broker can be told that it is: the broker waits for that. */
static enum refusal channel_begin(struct channel *channel, struct channel *parent, const struct keyd_grant *terms)
{
    const uint64_t now_ms = clock_monotonic_ms();
    if (parent == NULL) {
        grant_init(&channel->grant, terms, now_ms);
        return pin_server(&channel->grant, terms->ca);
    }
    if (!events_have_room(channel->table->events, terms->grant)) return REFUSAL_BUSY;
    return grant_derive(&channel->grant, &parent->grant, terms, now_ms);
}

static enum refusal servers_add(struct channel *channel, uint64_t setup)
{
    struct channel_table *table = channel->table;
    if (table->num_servers == LIMIT_SERVER_GRANTS) return REFUSAL_BUSY;
    channel->keys = keystores_enter(&table->keystores, setup);
    if (channel->keys == NULL) return REFUSAL_PARAMETERS;
    channel->source = expectation_source_new(&table->expectations, channel);
    if (channel->source == NULL) {
        keystores_leave(&table->keystores, channel->keys);
        return REFUSAL_INTERNAL;
    }
    channel->prev_server = NULL;
    channel->next_server = table->servers;
    if (channel->next_server != NULL) channel->next_server->prev_server = channel;
    table->servers = channel;
    table->num_servers++;
    return REFUSAL_NONE;
}

static enum refusal table_open(struct channel_table *table, const struct keyd_grant *terms, int fd)
{
    struct channel *parent = channel_table_find(table, terms->parent);
    if (channel_table_find(table, terms->grant) != NULL || (terms->parent != 0 && parent == NULL))
        return REFUSAL_PARAMETERS;
    struct channel *channel = table_take_slot(table, terms->grant);
    if (channel == NULL) return REFUSAL_BUSY;
    channel->link = (struct link){.fd = fd, .role = roles[terms->purpose], .end = LINK_UPPER};
    const bool is_server = terms->purpose == PURPOSE_TLS_SERVER;
    enum refusal refusal = !is_server && channel_want_sender(fd) != ERR_OK ? REFUSAL_INTERNAL : REFUSAL_NONE;
    if (refusal == REFUSAL_NONE && is_server) refusal = servers_add(channel, terms->setup);
    if (refusal == REFUSAL_NONE) refusal = channel_begin(channel, parent, terms);
    if (refusal != REFUSAL_NONE) {
        channel_table_remove_server(channel);
        channel_table_give_back(channel);
        return refusal;
    }
    channel_listen(channel);
    if (parent != NULL) channel_table_report(table, terms->grant, GRANT_EVENT_OPENED, REFUSAL_NONE, NULL);
    return REFUSAL_NONE;
}

void channel_table_grant(struct channel_table *table, const struct keyd_grant *terms, int fd)
{
    CHECK(keystores_in_force(&table->keystores) != NULL);
    const enum refusal refusal = table_open(table, terms, fd);
    if (refusal == REFUSAL_NONE) return;
    close(fd);
    channel_table_report(table, terms->grant, GRANT_EVENT_CLOSED, refusal, NULL);
}

/* The broker's clock may be a moment ahead in ending what has its time. */
#define EXPIRING_MS 1000u

/* The holder, and those of all that was derived from it; LIMIT_GRANT_DEPTH bounds how deep that goes. */
static void tell_revoked(struct channel *channel)
{
    const uint64_t expires_ms = channel->grant.expires_ms;
    const bool expired = expires_ms != 0 && clock_monotonic_ms() + EXPIRING_MS >= expires_ms;
    const struct msg told = {.kind = MSG_REFUSAL, .refusal = expired ? REFUSAL_EXPIRED : REFUSAL_REVOKED};
    const enum err err = link_send(&channel->link, &told, NULL, 0);
    (void)err;
    for (const struct grant *child = channel->grant.first_child; child != NULL; child = child->next_sibling)
        tell_revoked(channel_table_find(channel->table, child->id));
}

void channel_table_revoke(struct channel_table *table, uint64_t grant)
{
    struct channel *channel = channel_table_find(table, grant);
    if (channel == NULL) {
        /* Somebody may wait for the word; but the queue's last places are for channels that end. */
        if (events_have_room(table->events, grant))
            channel_table_report(table, grant, GRANT_EVENT_CLOSED, REFUSAL_REVOKED, NULL);
        return;
    }
    if (grant_is_reported(&channel->grant)) {
        tell_revoked(channel);
        channel_table_report(table, grant, GRANT_EVENT_CLOSED, REFUSAL_REVOKED, NULL);
    }
    channel_close(channel);
}

void channel_table_hold(struct channel_table *table, bool held)
{
    table->held = held;
}

void channel_table_status(struct channel_table *table, struct keyd_status *out)
{
    *out = (struct keyd_status){
        .signatures = table->signatures,
        .refusals = table->refusals,
        .secret_bytes = secret_memory_in_use(),
        .events_lost = table->events->lost_all,
        .grants = table->status,
        .total = (uint32_t)table->num,
    };
    for (const struct channel *channel = table->servers; channel != NULL; channel = channel->next_server) {
        table->status[out->num_grants++] = (struct grant_status){
            .grant = channel->grant.id,
            .signatures = channel->grant.signatures,
            .refusals = channel->grant.refusals,
        };
    }
}
