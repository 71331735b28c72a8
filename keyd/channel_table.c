#include "keyd/channel_table.h"

#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
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
};

struct channel_table {
    struct ev_loop *loop;
    struct events *events;
    channel_table_notify notify;
    void *context;
    const struct keystore *keystore;
    struct expectations expectations;
    struct codec_arena *arena;
    struct codec_arena *servers_arena; /* for what is read while a client's request is still in the other one */
    uint64_t signatures;
    uint64_t refusals;
    size_t num_slots; /* slots that were ever in use */
    struct grant_status status[LIMIT_GRANTS];
    struct channel slots[LIMIT_GRANTS];
};

static const enum link_role roles[PURPOSE_NUM] = {
    [PURPOSE_TLS_SERVER] = LINK_SIGN_SERVER,
    [PURPOSE_TLS_CLIENT] = LINK_SIGN_CLIENT,
    [PURPOSE_BROWSER_DIGEST] = LINK_SIGN_BROWSER,
};

static void report(struct channel_table *table, uint64_t grant, enum grant_event what, enum refusal reason,
                   const struct ucred *sender)
{
    struct keyd_event event = {.grant = grant, .what = what, .reason = reason};
    if (sender != NULL) {
        event.pid = (uint32_t)sender->pid;
        event.uid = sender->uid;
    }
    events_add(table->events, &event);
    table->notify(table->context);
}

static void channel_close(struct channel *channel)
{
    ev_io_stop(channel->table->loop, &channel->readable);
    ev_io_stop(channel->table->loop, &channel->writable);
    close(channel->link.fd);
    expectation_source_free(&channel->table->expectations, channel->source);
    channel->source = NULL;
    channel->grant.id = 0;
}

static void channel_end(struct channel *channel, enum grant_event what, enum refusal reason, const struct ucred *sender)
{
    const uint64_t grant = channel->grant.id;
    channel_close(channel);
    report(channel->table, grant, what, reason, sender);
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
    for (size_t i = 0; i < table->num_slots; i++) {
        struct channel *channel = &table->slots[i];
        if (channel->grant.id == 0 || channel->source == NULL) continue;
        for (unsigned n = 0; n < LIMIT_KEYD_CATCH_UP && ev_is_active(&channel->readable); n++) {
            if (channel_step(channel, table->servers_arena) != ERR_OK) break;
        }
    }
}

/* It goes into the channel at once or not at all: then the worker has it before the client has its signature. */
static bool tell_bound(const struct expected *expected, uint64_t handle)
{
    const struct channel *server = expected->owner;
    const struct msg msg = {.kind = MSG_CLIENT_BOUND, .id = expected->id, .client_bound = handle};
    return link_send(&server->link, &msg, NULL, 0) == ERR_OK;
}

static enum err channel_dispatch(struct channel *channel, const struct msg *request, const struct ucred *sender)
{
    struct channel_table *table = channel->table;
    if (request->kind == MSG_SIGN_BROWSER_DIGEST || request->kind == MSG_SIGN_TLS13_CLIENT)
        read_servers_first(table, request);
    const struct dispatch_scene scene = {
        .keystore = table->keystore,
        .sender = sender,
        .now_ms = clock_monotonic_ms(),
        .now_s = clock_wall_s(),
        .expectations = &table->expectations,
        .source = channel->source,
        .tell_bound = tell_bound,
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
    free(table);
}

void channel_table_serve(struct channel_table *table, const struct keystore *keystore)
{
    table->keystore = keystore;
}

/* The channel of a grant, or a free slot for grant 0. NULL: none. */
static struct channel *table_find(struct channel_table *table, uint64_t grant)
{
    for (size_t i = 0; i < table->num_slots; i++) {
        if (table->slots[i].grant.id == grant) return &table->slots[i];
    }
    return NULL;
}

static struct channel *table_take_slot(struct channel_table *table)
{
    struct channel *slot = table_find(table, 0);
    if (slot == NULL && table->num_slots < LIMIT_GRANTS) slot = &table->slots[table->num_slots++];
    return slot;
}

static enum refusal table_open(struct channel_table *table, const struct keyd_grant *terms, int fd)
{
    if (table_find(table, terms->grant) != NULL) return REFUSAL_PARAMETERS;
    struct channel *channel = table_take_slot(table);
    if (channel == NULL) return REFUSAL_BUSY;

    channel->table = table;
    channel->link = (struct link){.fd = fd, .role = roles[terms->purpose], .end = LINK_UPPER};
    grant_init(&channel->grant, terms, clock_monotonic_ms());
    const bool is_server = terms->purpose == PURPOSE_TLS_SERVER;
    channel->source = is_server ? expectation_source_new(&table->expectations, channel) : NULL;
    if ((is_server && channel->source == NULL) ||
        (grant_is_reported(&channel->grant) && channel_want_sender(fd) != ERR_OK)) {
        channel->grant.id = 0;
        return REFUSAL_INTERNAL;
    }
    ev_io_init(&channel->readable, on_readable, fd, EV_READ);
    ev_io_init(&channel->writable, on_writable, fd, EV_WRITE);
    channel->readable.data = channel;
    channel->writable.data = channel;
    ev_io_start(table->loop, &channel->readable);
    return REFUSAL_NONE;
}

void channel_table_grant(struct channel_table *table, const struct keyd_grant *terms, int fd)
{
    CHECK(table->keystore != NULL);
    const enum refusal refusal = table_open(table, terms, fd);
    if (refusal == REFUSAL_NONE) return;
    close(fd);
    report(table, terms->grant, GRANT_EVENT_CLOSED, refusal, NULL);
}

void channel_table_revoke(struct channel_table *table, uint64_t grant)
{
    struct channel *channel = grant != 0 ? table_find(table, grant) : NULL;
    if (channel != NULL) channel_close(channel);
}

void channel_table_status(struct channel_table *table, struct keyd_status *out)
{
    *out = (struct keyd_status){
        .signatures = table->signatures,
        .refusals = table->refusals,
        .secret_bytes = secret_memory_in_use(),
        .grants = table->status,
    };
    for (size_t i = 0; i < table->num_slots; i++) {
        const struct grant *grant = &table->slots[i].grant;
        if (grant->id == 0) continue;
        table->status[out->num_grants++] = (struct grant_status){
            .grant = grant->id,
            .signatures = grant->signatures,
            .refusals = grant->refusals,
            .pinned_pid = grant->pinned_pid,
        };
    }
}
