/* One stream: bytes between a client and an upstream, each way by itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "web/stream/proxy_header.h"
#include "web/stream/streams_internal.h"

/* A record's plaintext beyond the header for the upstream: receive is called only when nothing is left. */
#define MAX_UNSENT ((size_t)PROXY_HEADER_MAX + 16384)

static struct stream *stream_of(struct session *session)
{
    return (struct stream *)session;
}

static const struct stream *stream_of_const(const struct session *session)
{
    return (const struct stream *)session;
}

static void watch(struct stream *stream, int events)
{
    struct ev_loop *loop = stream->streams->loop;
    int active = ev_is_active(&stream->io) ? stream->io.events & (EV_READ | EV_WRITE) : 0;
    if (active == events) return;
    ev_io_stop(loop, &stream->io);
    if (events == 0) return;
    ev_io_set(&stream->io, stream->fd, events);
    ev_io_start(loop, &stream->io);
}

static bool has_unsent(const struct stream *stream)
{
    return buffer_left(&stream->unsent).len > 0 && !stream->unsendable;
}

/* What is readable is read when the client has room for it; until then there is nothing to watch for. */
static void watch_what_is_waited_for(struct stream *stream)
{
    if (stream->state != STREAM_OPEN) return;
    int events = stream->readable || stream->upstream_ended ? 0 : EV_READ;
    if (has_unsent(stream)) events |= EV_WRITE;
    watch(stream, events);
}

static void note_progress(struct stream *stream)
{
    stream->progress_ms = clock_monotonic_ms();
}

static void break_off(struct stream *stream, const char *why)
{
    if (stream->state == STREAM_BROKEN) return;
    stream->state = STREAM_BROKEN;
    stream->end = why;
    streams_stop_waiting(stream->streams, stream);
    watch(stream, 0);
}

/* Whether each side has had its say. An upstream that takes no more need not hear the client's end. */
static bool is_over(const struct stream *stream)
{
    return stream->upstream_ended && (stream->told_end || stream->unsendable);
}

/* ---- From the client to the upstream ---- */

static ssize_t send_once(int fd, struct bytes data)
{
    struct iovec piece = {.iov_len = data.len};
    memcpy(&piece.iov_base, &data.data, sizeof(data.data)); /* which sendmsg takes as not const */
    const struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* The upstream takes no more. What it has said is still there to be read, and reading tells how it ended. What is unsent stays where it
 * is, as it may be being sent; it counts no more (has_unsent). */
static void stop_sending(struct stream *stream)
{
    stream->unsendable = true;
    stream->readable = !stream->upstream_ended;
}

static size_t send_some(struct stream *stream, struct bytes data)
{
    size_t at = 0;
    while (at < data.len && !stream->unsendable) {
        ssize_t sent = send_once(stream->fd, (struct bytes){data.data + at, data.len - at});
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) {
            stop_sending(stream);
            return data.len;
        }
        note_progress(stream);
        at += (size_t)sent;
    }
    return at;
}

/* The end follows when everything before it is sent. */
static void send_unsent(struct stream *stream)
{
    if (stream->state != STREAM_OPEN) return;
    if (has_unsent(stream)) buffer_drop(&stream->unsent, send_some(stream, buffer_left(&stream->unsent)));
    if (!has_unsent(stream)) buffer_free(&stream->unsent); /* an idle stream holds no buffer */
    if (has_unsent(stream) || !stream->client_ended || stream->told_end) return;
    stream->told_end = true;
    if (!stream->unsendable) shutdown(stream->fd, SHUT_WR);
}

static enum err stream_receive(struct session *session, const uint8_t *data, size_t len)
{
    struct stream *stream = stream_of(session);
    stream->from_client += len;
    if (stream->state != STREAM_OPEN || stream->unsendable) return ERR_OK;
    note_progress(stream);
    size_t at = has_unsent(stream) ? 0 : send_some(stream, (struct bytes){data, len});
    if (buffer_append(&stream->unsent, (struct bytes){data + at, len - at}, MAX_UNSENT) != ERR_OK)
        break_off(stream, "no memory");
    watch_what_is_waited_for(stream);
    return ERR_OK;
}

static void stream_receive_end(struct session *session)
{
    struct stream *stream = stream_of(session);
    stream->client_ended = true;
    note_progress(stream);
    send_unsent(stream);
}

/* ---- From the upstream to the client ---- */

/* A Unix socket whose other end is closed altogether says so to a writer, and nobody has to wait for what the client would
 * still say to it. A TCP socket does not know. */
static void end_upstream(struct stream *stream)
{
    stream->upstream_ended = true;
    note_progress(stream);
    if (send_once(stream->fd, (struct bytes){NULL, 0}) < 0 && errno == EPIPE && !stream->told_end) stop_sending(stream);
}

static size_t stream_produce(struct session *session, uint8_t *out, size_t cap)
{
    struct stream *stream = stream_of(session);
    if (stream->state != STREAM_OPEN || !stream->readable || stream->upstream_ended) return 0;
    ssize_t got;
    do got = read(stream->fd, out, cap);
    while (got < 0 && errno == EINTR);
    /* Less than there was room for: most likely there is no more. */
    stream->readable = got > 0 && (size_t)got == cap;
    if (got > 0) {
        stream->to_client += (uint64_t)got;
        note_progress(stream);
    } else if (got == 0) {
        end_upstream(stream);
    } else if (errno != EAGAIN) {
        break_off(stream, "the upstream broke the connection");
    }
    watch_what_is_waited_for(stream);
    return got > 0 ? (size_t)got : 0;
}

/* ---- The connection to the upstream ---- */

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    struct stream *stream = watcher->data;
    if ((events & EV_ERROR) != 0) {
        break_off(stream, "the upstream cannot be watched");
    } else {
        if ((events & EV_READ) != 0) stream->readable = true;
        if ((events & EV_WRITE) != 0) send_unsent(stream);
        watch_what_is_waited_for(stream);
    }
    stream->host.wake(stream->host.context); /* and the stream may be gone */
}

/* A header for the upstream waits in unsent; the rest is up to the client. */
void stream_connected(struct stream *stream, int fd)
{
    stream->fd = fd;
    stream->state = STREAM_OPEN;
    note_progress(stream);
    send_unsent(stream);
    watch_what_is_waited_for(stream);
    stream->host.wake(stream->host.context);
}

void stream_not_connected(struct stream *stream)
{
    break_off(stream, "the upstream cannot be reached");
    stream->host.wake(stream->host.context);
}

/* ---- The session ---- */

static unsigned stream_wants(const struct session *session)
{
    const struct stream *stream = stream_of_const(session);
    if (stream->state == STREAM_BROKEN) return SESSION_CUT;
    if (stream->state == STREAM_WAITING) return 0;
    if (is_over(stream)) return SESSION_CLOSE;
    unsigned wants = stream->upstream_ended ? SESSION_END : 0;
    if (stream->readable) wants |= SESSION_WRITE;
    if (!has_unsent(stream) && !stream->unsendable && !stream->client_ended) wants |= SESSION_READ;
    return wants;
}

static uint64_t stream_deadline(const struct session *session)
{
    const struct stream *stream = stream_of_const(session);
    const struct streams_config *config = &stream->streams->config;
    const uint32_t idle_ms = config->routes[stream->route].idle_ms;
    if (stream->state == STREAM_BROKEN) return 0;
    if (stream->state == STREAM_WAITING) return stream->begun_ms + config->connect_ms;
    return stream->progress_ms + (stream->upstream_ended && config->end_ms < idle_ms ? config->end_ms : idle_ms);
}

static void stream_expire(struct session *session)
{
    struct stream *stream = stream_of(session);
    break_off(stream, stream->state == STREAM_WAITING ? "no connection to the upstream in time" : "idle for too long");
}

/* What a stream is in the middle of, nobody here knows: it has the time that the worker has for its end. */
static void stream_drain(struct session *session)
{
    (void)session;
}

/* Nobody at the other end is to take this for the end of what was being said. */
static void reset(int fd)
{
    static const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* Unix sockets take it, and do as always */
    close(fd);
}

static void stream_free(struct session *session)
{
    struct stream *stream = stream_of(session);
    if (stream->state == STREAM_OPEN && is_over(stream)) stream->end = "complete";
    streams_stop_waiting(stream->streams, stream);
    stream_log(stream);
    if (stream->fd >= 0) {
        watch(stream, 0);
        if (stream->told_end && stream->upstream_ended)
            close(stream->fd);
        else
            reset(stream->fd);
    }
    buffer_free(&stream->unsent);
    free(stream);
}

struct session *stream_session_new(struct streams *streams, uint32_t route, const struct session_peer *peer,
                                   const char *local, const struct session_host *host)
{
    static const struct session_ops ops = {
        .receive = stream_receive,
        .receive_end = stream_receive_end,
        .produce = stream_produce,
        .wants = stream_wants,
        .deadline = stream_deadline,
        .expire = stream_expire,
        .drain = stream_drain,
        .free = stream_free,
        .raw = true,
    };
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) return NULL;
    stream->session.ops = &ops;
    stream->streams = streams;
    stream->peer = peer;
    stream->host = *host;
    stream->route = route;
    stream->fd = -1;
    stream->end = "the client's connection was cut";
    stream->begun_ms = clock_monotonic_ms();
    request_id_make(stream->id, &streams->ids);
    ev_init(&stream->io, on_io);
    stream->io.data = stream;
    if (streams->config.routes[route].proxy_protocol &&
        proxy_header_write(&stream->unsent, peer, local, stream->id) != ERR_OK) {
        buffer_free(&stream->unsent);
        free(stream);
        return NULL;
    }
    streams_wait(streams, stream);
    return &stream->session;
}
