#include "web/http/http2.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "web/http/http2_internal.h"
#include "web/http/site_internal.h"

static struct http2 *http2_of(struct session *session)
{
    return (struct http2 *)session;
}

static const struct http2 *http2_of_const(const struct session *session)
{
    return (const struct http2 *)session;
}

void http2_cut(struct http2 *http2, const char *reason)
{
    if (http2->flood != NULL) return;
    http2->flood = reason;
    http2->closing = true;
    if (nghttp2_session_terminate_session(http2->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM) != 0) http2->failed = true;
}

static void fail(struct http2 *http2, int error)
{
    http2->failed = true;
    http2->site->counters.requests_refused++;
    if (!http_site_may_log(http2->site)) return;
    log_line("connection refused peer=%s error=%d reason=%s", log_quote(http2->peer->address), error,
             log_quote(nghttp2_strerror(error)));
}

/* Every kind of frame that carries nothing makes work, and some must not be counted one by one, since honest clients
 * send many (WINDOW_UPDATE). So they are weighed against what the connection is for. */
static void weigh(struct http2 *http2, size_t len)
{
    http2->received_len += len;
    if (http2->received_len / LIMIT_H2_OVERHEAD_FACTOR > http2->useful_len + LIMIT_H2_OVERHEAD)
        http2_cut(http2, "frames that carry nothing");
}

static enum err http2_receive(struct session *session, const uint8_t *data, size_t len)
{
    struct http2 *http2 = http2_of(session);
    if (http2->failed) return ERR_MALFORMED;
    if (http2->closing || http2->ended) return ERR_OK;
    ssize_t used = nghttp2_session_mem_recv(http2->nghttp2, data, len);
    if (used < 0) fail(http2, (int)used);
    weigh(http2, len);
    return http2->failed ? ERR_MALFORMED : ERR_OK;
}

static void http2_receive_end(struct session *session)
{
    http2_of(session)->ended = true;
}

static size_t take_pending(struct http2 *http2, uint8_t *out, size_t cap)
{
    size_t len = http2->pending.len < cap ? http2->pending.len : cap;
    if (len == 0) return 0;
    memcpy(out, http2->pending.data, len);
    http2->pending.data += len;
    http2->pending.len -= len;
    return len;
}

static size_t http2_produce(struct session *session, uint8_t *out, size_t cap)
{
    struct http2 *http2 = http2_of(session);
    size_t len = 0;
    while (len < cap && !http2->failed) {
        if (http2->pending.len == 0) {
            const uint8_t *data = NULL;
            ssize_t got = nghttp2_session_mem_send(http2->nghttp2, &data);
            if (got < 0) fail(http2, (int)got);
            if (got <= 0) break;
            http2->pending = (struct bytes){data, (size_t)got};
        }
        len += take_pending(http2, out + len, cap - len);
    }
    return len;
}

static unsigned http2_wants(const struct session *session)
{
    const struct http2 *http2 = http2_of_const(session);
    if (http2->failed) return SESSION_CLOSE;
    bool read = nghttp2_session_want_read(http2->nghttp2) != 0 && !http2->ended && !http2->closing;
    bool write = http2->pending.len > 0 || nghttp2_session_want_write(http2->nghttp2) != 0;
    if (!read && !write && (http2->num_committing == 0 || http2->closing)) return SESSION_CLOSE;
    bool backlog = nghttp2_session_get_outbound_queue_size(http2->nghttp2) > LIMIT_H2_OUTBOUND_FRAMES;
    return (read && !backlog ? SESSION_READ : 0u) | (write ? SESSION_WRITE : 0u);
}

static unsigned idle_ms(const struct http2 *http2)
{
    const unsigned most = http2->site->config.idle_timeout_ms;
    return http2->retiring && most > DEADLINE_RETIRE_IDLE_MS ? DEADLINE_RETIRE_IDLE_MS : most;
}

static uint64_t http2_deadline(const struct session *session)
{
    const struct http2 *http2 = http2_of_const(session);
    if (http2->failed || http2->closing) return 0;
    uint64_t deadline = http2->num_streams == 0 ? http2->progress_ms + idle_ms(http2) : http2_stream_deadline(http2);
    bool sooner = http2->notice_until != 0 && (deadline == 0 || http2->notice_until < deadline);
    return sooner ? http2->notice_until : deadline;
}

/* Names the last stream that is served. */
static void end_notice(struct http2 *http2)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(http2->nghttp2);
    http2->notice_until = 0;
    http2->draining = true;
    http2->last_stream = last;
    if (nghttp2_submit_goaway(http2->nghttp2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) != 0)
        http2->failed = true;
}

static void http2_expire(struct session *session)
{
    struct http2 *http2 = http2_of(session);
    const bool noticed = http2->notice_until != 0 && clock_monotonic_ms() >= http2->notice_until;
    if (noticed) end_notice(http2);
    if (http2->num_streams > 0) {
        if (!noticed && http2_stream_expire(http2) != 0) http2->failed = true;
        return;
    }
    http2->closing = true;
    if (nghttp2_session_terminate_session(http2->nghttp2, NGHTTP2_NO_ERROR) != 0) http2->failed = true;
}

/* Requests that are on their way are served all the same: the first GOAWAY names no stream (RFC 9113, 6.8). */
static void http2_drain(struct session *session)
{
    struct http2 *http2 = http2_of(session);
    http2->notice_until = clock_monotonic_ms() + DEADLINE_DRAIN_MS;
    if (nghttp2_submit_shutdown_notice(http2->nghttp2) != 0) http2->failed = true;
}

/* In two steps (RFC 9113, 6.8): a GOAWAY that refuses nothing, and when the peer has heard it, which its answer to a PING tells, the
 * one that names the last stream. Before the first request there is nothing to end: the peer may send it at any moment. */
void http2_notice(struct http2 *http2)
{
    if (!http2->retiring || http2->noticed || http2->draining || http2->failed || http2->closing) return;
    if (nghttp2_session_get_last_proc_stream_id(http2->nghttp2) == 0) return;
    http2->noticed = true;
    if (nghttp2_submit_shutdown_notice(http2->nghttp2) != 0 ||
        nghttp2_submit_ping(http2->nghttp2, NGHTTP2_FLAG_NONE, NULL) != 0)
        http2->failed = true;
}

void http2_note_heard(struct http2 *http2)
{
    if (http2->noticed && !http2->draining) end_notice(http2);
}

static void http2_retire(struct session *session)
{
    struct http2 *http2 = http2_of(session);
    http2->retiring = true;
    http2_notice(http2);
}

/* A GOAWAY frame (RFC 9113, 6.8). nghttp2 would send it behind the answers that it has ready. */
static size_t http2_farewell(struct session *session, uint8_t out[SESSION_FAREWELL])
{
    static const uint8_t header[] = {0, 0, 8, NGHTTP2_GOAWAY, 0, 0, 0, 0, 0};
    const struct http2 *http2 = http2_of(session);
    _Static_assert(sizeof header + 8 == SESSION_FAREWELL, "a frame's header, a stream and an error");
    if (http2->pending.len > 0 || http2->failed || http2->closing) return 0;
    const uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(http2->nghttp2);
    memcpy(out, header, sizeof header);
    for (unsigned i = 0; i < 4; i++) out[9 + i] = (uint8_t)(last >> (24 - 8 * i));
    memset(out + 13, NGHTTP2_NO_ERROR, 4);
    return SESSION_FAREWELL;
}

static void http2_free(struct session *session)
{
    struct http2 *http2 = http2_of(session);
    while (http2->streams != NULL) http2_stream_free(http2->streams);
    nghttp2_session_del(http2->nghttp2);
    free(http2);
}

static const struct session_ops ops = {
    .receive = http2_receive,
    .receive_end = http2_receive_end,
    .produce = http2_produce,
    .wants = http2_wants,
    .deadline = http2_deadline,
    .expire = http2_expire,
    .drain = http2_drain,
    .retire = http2_retire,
    .farewell = http2_farewell,
    .free = http2_free,
};

static int make_nghttp2(struct http2 *http2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int error = nghttp2_session_callbacks_new(&callbacks);
    if (error == 0) error = nghttp2_option_new(&option);
    if (error == 0) {
        http2_stream_callbacks(callbacks);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_max_outbound_ack(option, LIMIT_H2_OUTBOUND_ACKS);
        nghttp2_option_set_max_settings(option, LIMIT_H2_SETTINGS);
        nghttp2_option_set_max_continuations(option, LIMIT_H2_CONTINUATIONS);
        error = nghttp2_session_server_new2(&http2->nghttp2, callbacks, http2, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return error;
}

static int submit_settings(struct http2 *http2)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIMIT_H2_STREAMS},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HTTP_HEADER},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int error =
        nghttp2_submit_settings(http2->nghttp2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
    if (error != 0) return error;
    return nghttp2_session_set_local_window_size(http2->nghttp2, NGHTTP2_FLAG_NONE, 0, LIMIT_H2_CONNECTION_WINDOW);
}

struct session *http2_session_new(struct http_site *site, const struct session_peer *peer,
                                  const struct session_host *host)
{
    struct http2 *http2 = calloc(1, sizeof(*http2));
    if (http2 == NULL) return NULL;
    uint64_t now = clock_monotonic_ms();
    http2->session.ops = &ops;
    http2->site = site;
    http2->peer = peer;
    http2->host = *host;
    http2->progress_ms = now;
    meter_init(&http2->resets, LIMIT_H2_RESET_BURST, LIMIT_H2_RESETS_PER_SECOND, now);
    meter_init(&http2->controls, LIMIT_H2_CONTROL_BURST, LIMIT_H2_CONTROLS_PER_SECOND, now);
    if (make_nghttp2(http2) != 0 || submit_settings(http2) != 0) {
        nghttp2_session_del(http2->nghttp2);
        free(http2);
        return NULL;
    }
    return &http2->session;
}
