#include "web/stream/streams.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "web/stream/streams_internal.h"

enum { LOG_LINES_PER_SECOND = 5 };

enum err streams_new(struct streams **out, struct ev_loop *loop, const struct streams_config *config,
                     const struct streams_host *host)
{
    CHECK(config->num_routes <= LIMIT_STREAMS);
    struct streams *streams = calloc(1, sizeof(*streams));
    if (streams == NULL) return ERR_MEMORY;
    enum err err = request_ids_init(&streams->ids);
    if (err != ERR_OK) {
        free(streams);
        return err;
    }
    streams->loop = loop;
    streams->config = *config;
    streams->host = *host;
    *out = streams;
    return ERR_OK;
}

bool streams_want_leaf(const struct streams *streams)
{
    for (size_t i = 0; i < streams->config.num_routes; i++) {
        if (streams->config.routes[i].proxy_protocol) return true;
    }
    return false;
}

static void leave_queue(struct streams *streams, struct stream *stream)
{
    if (!stream->queued) return;
    stream->queued = false;
    *(stream->prev != NULL ? &stream->prev->next : &streams->first) = stream->next;
    *(stream->next != NULL ? &stream->next->prev : &streams->last) = stream->prev;
}

static void ask(struct streams *streams)
{
    for (size_t i = 0; i < LIMIT_STREAM_CONNECTING && streams->first != NULL; i++) {
        if (streams->asked[i].id != 0) continue;
        struct stream *stream = streams->first;
        leave_queue(streams, stream);
        streams->asked[i].id = STREAM_ID_BIT | ++streams->last_id;
        streams->asked[i].route = stream->route;
        streams->asked[i].stream = stream;
        streams->host.connect(streams->host.context, stream->route, streams->asked[i].id);
    }
}

void streams_wait(struct streams *streams, struct stream *stream)
{
    stream->queued = true;
    stream->next = NULL;
    stream->prev = streams->last;
    *(streams->last != NULL ? &streams->last->next : &streams->first) = stream;
    streams->last = stream;
    ask(streams);
}

/* A connection that is being made for it is still answered, and keeps its place until then: the broker has no more. */
void streams_stop_waiting(struct streams *streams, struct stream *stream)
{
    leave_queue(streams, stream);
    for (size_t i = 0; i < LIMIT_STREAM_CONNECTING; i++) {
        if (streams->asked[i].stream == stream) streams->asked[i].stream = NULL;
    }
}

/* Whether the id was asked for; it is then answered. *out_stream may be NULL. */
static bool end_ask(struct streams *streams, uint64_t id, uint32_t *out_route, struct stream **out_stream)
{
    for (size_t i = 0; i < LIMIT_STREAM_CONNECTING; i++) {
        if (id == 0 || streams->asked[i].id != id) continue;
        *out_route = streams->asked[i].route;
        *out_stream = streams->asked[i].stream;
        streams->asked[i].id = 0;
        streams->asked[i].stream = NULL;
        return true;
    }
    return false;
}

void streams_connected(struct streams *streams, uint64_t id, int fd)
{
    static const int on = 1;
    uint32_t route;
    struct stream *stream = NULL;
    if (!end_ask(streams, id, &route, &stream) || stream == NULL) {
        close(fd);
    } else {
        /* Not for Unix sockets, which have nothing to delay. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        stream_connected(stream, fd);
    }
    ask(streams);
}

void streams_not_connected(struct streams *streams, uint64_t id, const char *why)
{
    uint32_t index;
    uint64_t withheld;
    struct stream *stream = NULL;
    if (!end_ask(streams, id, &index, &stream)) return;
    const struct stream_route *route = &streams->config.routes[index];
    if (log_rate_admit(&streams->log, &withheld, clock_monotonic_ms(), LOG_LINES_PER_SECOND))
        log_line("no connection to the upstream listener=%s upstream=%s reason=%s withheld=%llu",
                 log_quote(route->address), log_quote(route->upstream), log_quote(why), (unsigned long long)withheld);
    if (stream != NULL) stream_not_connected(stream);
    ask(streams);
}

void streams_free(struct streams *streams)
{
    if (streams == NULL) return;
    CHECK(streams->first == NULL);
    for (size_t i = 0; i < LIMIT_STREAM_CONNECTING; i++) CHECK(streams->asked[i].stream == NULL);
    free(streams);
}
