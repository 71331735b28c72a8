#include "keyd/channel.h"

#include <unistd.h>

#include "base/clock.h"

static void channel_end(struct channel *channel, enum grant_event what, enum refusal reason,
                        const struct ucred *sender);

/* With it end all that were derived from it; LIMIT_GRANT_DEPTH bounds how deep that goes. */
void channel_close(struct channel *channel)
{
    while (channel->grant.first_child != NULL)
        channel_end(channel_table_find(channel->table, channel->grant.first_child->id), GRANT_EVENT_CLOSED,
                    REFUSAL_NONE, NULL);
    grant_leave(&channel->grant);
    ev_io_stop(channel->table->loop, &channel->readable);
    ev_io_stop(channel->table->loop, &channel->writable);
    close(channel->link.fd);
    channel_table_remove_server(channel);
    channel_table_give_back(channel);
}

static void channel_end(struct channel *channel, enum grant_event what, enum refusal reason, const struct ucred *sender)
{
    struct keyd_event event = {.grant = channel->grant.id,
                               .what = what,
                               .reason = reason,
                               .signatures = channel->grant.signatures,
                               .refusals = channel->grant.refusals};
    channel_close(channel);
    channel_table_report_event(channel->table, &event, sender);
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
    if (answer->event != GRANT_EVENT_NONE)
        channel_table_report(table, channel->grant.id, answer->event, answer->refusal, sender);
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

void channel_listen(struct channel *channel)
{
    const int fd = channel->link.fd;
    ev_io_init(&channel->readable, on_readable, fd, EV_READ);
    ev_io_init(&channel->writable, on_writable, fd, EV_WRITE);
    channel->readable.data = channel;
    channel->writable.data = channel;
    ev_io_start(channel->table->loop, &channel->readable);
}
