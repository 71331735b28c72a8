#include "keyd/channel_table.h"

#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/number_table.h"
#include "keyd/binding.h"
#include "keyd/dispatch.h"
#include "keyd/events.h"
#include "keyd/secret_memory.h"
#include "proto/link.h"

struct channel {
    struct channel_table *table;
    struct link link;
    struct grant grant; /* grant.id is 0: the slot is free */
    ev_io readable;     /* active unless an answer waits */
    ev_io writable;     /* active while an answer waits */
    struct answer answer;
    struct expectation_source *source; /* of a server's channel; otherwise NULL */
    struct keystores_row *keys;        /* likewise */
    struct channel *prev_server, *next_server;
    struct channel *next_free;
};

struct channel_table {
    struct ev_loop *loop;
    struct events *events;
    channel_table_notify notify;
    void *context;
    struct keystores keystores;
    bool held;
    struct expectations expectations;
    struct codec_arena *arena;
    struct codec_arena *servers_arena; /* for what is read while a client's request is still in the other one */
    uint64_t signatures;
    uint64_t refusals;
    struct channel *servers; /* the web workers' channels, linked */
    size_t num_servers;
    size_t num;                  /* channels */
    size_t num_slots;            /* slots that were ever in use; memory behind them was never touched */
    struct channel *first_free;  /* of them */
    struct number_table by_name; /* a grant's slot */
    struct grant_status status[LIMIT_SERVER_GRANTS];
    struct channel slots[LIMIT_GRANTS];
};

static const enum link_role roles[PURPOSE_NUM] = {
    [PURPOSE_TLS_SERVER] = LINK_SIGN_SERVER,
    [PURPOSE_TLS_CLIENT] = LINK_SIGN_CLIENT,
    [PURPOSE_BROWSER_DIGEST] = LINK_SIGN_BROWSER,
    [PURPOSE_GATEWAY] = LINK_SIGN_GATEWAY,
};

static void report_event(struct channel_table *table, struct keyd_event *event, const struct ucred *sender)
{
    if (sender != NULL) {
        event->pid = (uint32_t)sender->pid;
        event->uid = sender->uid;
    }
    events_add(table->events, event);
    table->notify(table->context);
}

static void report(struct channel_table *table, uint64_t grant, enum grant_event what, enum refusal reason,
                   const struct ucred *sender)
{
    struct keyd_event event = {.grant = grant, .what = what, .reason = reason};
    report_event(table, &event, sender);
}

/* The channel of a grant; NULL: none. */
static struct channel *table_find(struct channel_table *table, uint64_t grant)
{
    const uint32_t slot = number_table_find(&table->by_name, grant);
    return slot != NUMBER_TABLE_NONE ? &table->slots[slot] : NULL;
}

static void table_give_back(struct channel *channel)
{
    struct channel_table *table = channel->table;
    number_table_remove(&table->by_name, channel->grant.id);
    channel->grant.id = 0;
    channel->next_free = table->first_free;
    table->first_free = channel;
    table->num--;
}

static void servers_remove(struct channel *channel)
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

static void channel_end(struct channel *channel, enum grant_event what, enum refusal reason,
                        const struct ucred *sender);

/* With it end all that were derived from it; LIMIT_GRANT_DEPTH bounds how deep that goes. */
static void channel_close(struct channel *channel)
{
    while (channel->grant.first_child != NULL)
        channel_end(table_find(channel->table, channel->grant.first_child->id), GRANT_EVENT_CLOSED, REFUSAL_NONE, NULL);
    grant_leave(&channel->grant);
    ev_io_stop(channel->table->loop, &channel->readable);
    ev_io_stop(channel->table->loop, &channel->writable);
    close(channel->link.fd);
    servers_remove(channel);
    table_give_back(channel);
}

static void channel_end(struct channel *channel, enum grant_event what, enum refusal reason, const struct ucred *sender)
{
    struct keyd_event event = {.grant = channel->grant.id,
                               .what = what,
                               .reason = reason,
                               .signatures = channel->grant.signatures,
                               .refusals = channel->grant.refusals};
    channel_close(channel);
    report_event(channel->table, &event, sender);
}

/* channel_answer sends the answer. ERR_AGAIN: it waits, and the channel is not read meanwhile. */
static enum err channel_answer(struct channel *channel)
{
    enum err err = link_send(&channel->link, &channel->answer.msg, NULL, 0);
    struct ev_loop *loop = channel->table->loop;
    if (err == ERR_AGAIN) {
        ev_io_stop(loop, &channel->readable);
        ev_io_start(loop, &channel->writable);
    } else if (err != ERR_OK) {
        channel_end(channel, GRANT_EVENT_CLOSED, REFUSAL_NONE, NULL);
    }
    return err;
}

/* What is not a message of this channel: say so if there is room, and part. */
static void channel_cut(struct channel *channel, uint64_t request_id, enum refusal reason, const struct ucred *sender)
{
    dispatch_refuse(&channel->answer, &channel->grant, request_id, reason);
    channel->table->refusals++;
    const enum err err = link_send(&channel->link, &channel->answer.msg, NULL, 0);
    (void)err;
    channel_end(channel, GRANT_EVENT_CUT, reason, sender);
}

static enum err channel_step(struct channel *channel, struct codec_arena *arena);

/* A web worker tells of a handshake before the client can see it, but this loop may come to the client's channel first.
 * Then what the workers have sent by now is served before it. So much fits into a channel that there is an end. */
static void read_servers_first(struct channel_table *table, const struct msg *request)
{
    const struct sign_browser_digest *wanted = &request->sign_browser_digest;
    struct digest digest;
    if (request->kind == MSG_SIGN_BROWSER_DIGEST &&
        (!scheme_take(&digest, wanted->scheme, (struct bytes){wanted->digest, wanted->digest_len}) ||
         expectations_have(&table->expectations, &digest, clock_monotonic_ms())))
        return;
    for (struct channel *channel = table->servers, *next; channel != NULL; channel = next) {
        next = channel->next_server;
        for (unsigned n = 0; n < LIMIT_KEYD_CATCH_UP && ev_is_active(&channel->readable); n++) {
            if (channel_step(channel, table->servers_arena) != ERR_OK) break;
        }
    }
}

/* It goes into the channel at once or not at all: then the worker has it before the client has its signature. */
static bool tell_bound(const struct expected *expected, const struct grant *grant)
{
    const struct channel *server = expected->owner;
    struct msg msg = {.kind = MSG_CLIENT_BOUND, .id = expected->id, .client_bound = {.handle = grant->id}};
    struct client_bound *bound = &msg.client_bound;
    for (const struct grant *above = grant->parent; above != NULL; above = above->parent)
        bound->above[bound->num_above++] = above->id;
    return link_send(&server->link, &msg, NULL, 0) == ERR_OK;
}

static enum err channel_dispatch(struct channel *channel, const struct msg *request, const struct ucred *sender)
{
    struct channel_table *table = channel->table;
    if (request->kind == MSG_SIGN_BROWSER_DIGEST || request->kind == MSG_SIGN_TLS13_CLIENT)
        read_servers_first(table, request);
    const struct dispatch_scene scene = {
        .keystore = channel->keys != NULL ? channel->keys->keystore : keystores_in_force(&table->keystores),
        .keystores = &table->keystores,
        .sender = sender,
        .now_ms = clock_monotonic_ms(),
        .now_s = clock_wall_s(),
        .expectations = &table->expectations,
        .source = channel->source,
        .tell_bound = tell_bound,
        .held = table->held,
        .can_report = events_have_room(table->events, channel->grant.id),
    };
    struct answer *answer = &channel->answer;
    dispatch_request(answer, &channel->grant, request, &scene);
    if (answer->refusal != REFUSAL_NONE) table->refusals++;
    if (answer->msg.kind == MSG_SIGNATURE) table->signatures++;
    if (answer->event != GRANT_EVENT_NONE) report(table, channel->grant.id, answer->event, answer->refusal, sender);
    return answer->msg.kind != MSG_NONE ? channel_answer(channel) : ERR_OK;
}

/* channel_step serves one packet. An error: do not go on with this channel now, or it is closed. */
static enum err channel_step(struct channel *channel, struct codec_arena *arena)
{
    struct msg request;
    struct packet_extra extra;
    enum err err = link_recv(&channel->link, &request, &extra, arena);
    const struct ucred *sender = extra.has_sender ? &extra.sender : NULL;
    switch (err) {
    case ERR_OK: return channel_dispatch(channel, &request, sender);
    case ERR_AGAIN: break;
    case ERR_MALFORMED:
    case ERR_TOO_LARGE: channel_cut(channel, request.id, REFUSAL_MALFORMED, sender); break;
    case ERR_DENIED: channel_cut(channel, request.id, REFUSAL_PURPOSE, sender); break;
    case ERR_CLOSED:
    case ERR_SYSTEM:
    case ERR_MEMORY:
    case ERR_INPUT:
    case ERR_NOT_FOUND:
    case ERR_CRYPTO:
    case ERR_TIMEOUT: channel_end(channel, GRANT_EVENT_CLOSED, REFUSAL_NONE, sender); break;
    }
    return err;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    struct channel *channel = watcher->data;
    for (unsigned i = 0; i < LIMIT_KEYD_BATCH; i++) {
        if (channel_step(channel, channel->table->arena) != ERR_OK) return;
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct channel *channel = watcher->data;
    if (channel_answer(channel) != ERR_OK) return;
    ev_io_stop(loop, &channel->writable);
    ev_io_start(loop, &channel->readable);
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

static void channel_listen(struct channel *channel)
{
    const int fd = channel->link.fd;
    ev_io_init(&channel->readable, on_readable, fd, EV_READ);
    ev_io_init(&channel->writable, on_writable, fd, EV_WRITE);
    channel->readable.data = channel;
    channel->writable.data = channel;
    ev_io_start(channel->table->loop, &channel->readable);
}

static enum refusal table_open(struct channel_table *table, const struct keyd_grant *terms, int fd)
{
    struct channel *parent = table_find(table, terms->parent);
    if (table_find(table, terms->grant) != NULL || (terms->parent != 0 && parent == NULL)) return REFUSAL_PARAMETERS;
    struct channel *channel = table_take_slot(table, terms->grant);
    if (channel == NULL) return REFUSAL_BUSY;
    channel->link = (struct link){.fd = fd, .role = roles[terms->purpose], .end = LINK_UPPER};
    const bool is_server = terms->purpose == PURPOSE_TLS_SERVER;
    enum refusal refusal = !is_server && channel_want_sender(fd) != ERR_OK ? REFUSAL_INTERNAL : REFUSAL_NONE;
    if (refusal == REFUSAL_NONE && is_server) refusal = servers_add(channel, terms->setup);
    if (refusal == REFUSAL_NONE) refusal = channel_begin(channel, parent, terms);
    if (refusal != REFUSAL_NONE) {
        servers_remove(channel);
        table_give_back(channel);
        return refusal;
    }
    channel_listen(channel);
    if (parent != NULL) report(table, terms->grant, GRANT_EVENT_OPENED, REFUSAL_NONE, NULL);
    return REFUSAL_NONE;
}

void channel_table_grant(struct channel_table *table, const struct keyd_grant *terms, int fd)
{
    CHECK(keystores_in_force(&table->keystores) != NULL);
    const enum refusal refusal = table_open(table, terms, fd);
    if (refusal == REFUSAL_NONE) return;
    close(fd);
    report(table, terms->grant, GRANT_EVENT_CLOSED, refusal, NULL);
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
        tell_revoked(table_find(channel->table, child->id));
}

void channel_table_revoke(struct channel_table *table, uint64_t grant)
{
    struct channel *channel = table_find(table, grant);
    if (channel == NULL) {
        /* Somebody may wait for the word; but the queue's last places are for channels that end. */
        if (events_have_room(table->events, grant)) report(table, grant, GRANT_EVENT_CLOSED, REFUSAL_REVOKED, NULL);
        return;
    }
    if (grant_is_reported(&channel->grant)) {
        tell_revoked(channel);
        report(table, grant, GRANT_EVENT_CLOSED, REFUSAL_REVOKED, NULL);
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
