#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "web/http/http2_internal.h"
#include "web/http/site_internal.h"
#include "web/proxy/answer.h"

static void stream_ready(void *context);
static void stream_interim(void *context, const struct answer *answer);

static void note_progress(struct http2_stream *stream)
{
    stream->progress_ms = clock_monotonic_ms();
}

static struct http2_stream *stream_new(struct http2 *http2, int32_t id)
{
    struct http2_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) return NULL;
    stream->http2 = http2;
    stream->id = id;
    stream->next = http2->streams;
    stream->link = &http2->streams;
    if (stream->next != NULL) stream->next->link = &stream->next;
    http2->streams = stream;
    http2->num_streams++;
    note_progress(stream);
    exchange_init(&stream->exchange, http2->site, http2->peer, VERSION_HTTP2);
    exchange_listen(&stream->exchange, stream_ready, stream_interim, stream);
    exchange_start(&stream->exchange);
    return stream;
}

static void set_committing(struct http2_stream *stream, bool committing)
{
    if (stream->committing == committing) return;
    stream->committing = committing;
    if (committing)
        stream->http2->num_committing++;
    else
        stream->http2->num_committing--;
}

void http2_stream_free(struct http2_stream *stream)
{
    set_committing(stream, false);
    *stream->link = stream->next;
    if (stream->next != NULL) stream->next->link = stream->link;
    stream->http2->num_streams--;
    stream->http2->progress_ms = clock_monotonic_ms();
    exchange_cleanup(&stream->exchange);
    free(stream);
}

static struct http2_stream *stream_of(struct http2 *http2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(http2->nghttp2, id);
}

/* nghttp2 takes names and values as not const, and copies them. */
static nghttp2_nv pair(const char *name, const char *value)
{
    union {
        const char *given;
        uint8_t *taken;
    } name_text = {.given = name}, value_text = {.given = value};
    return (nghttp2_nv){name_text.taken, value_text.taken, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* The body ends, but the stream only behind these. */
static int submit_trailers(struct http2_stream *stream, uint32_t *flags)
{
    nghttp2_nv pairs[LIMIT_HTTP_TRAILERS];
    size_t num;
    const struct header_table_field *trailers = response_trailers(&stream->exchange.response, &num);
    if (num == 0) return 0;
    for (size_t i = 0; i < num; i++) pairs[i] = pair(trailers[i].name, trailers[i].value);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(stream->http2->nghttp2, stream->id, pairs, num);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)id;
    (void)context;
    struct http2_stream *stream = source->ptr;
    struct response *response = &stream->exchange.response;
    size_t len;
    enum err err = response_read(response, out, &len, cap);
    if (err == ERR_AGAIN) {
        stream->deferred = true;
        set_committing(stream, true);
        note_progress(stream);
        return NGHTTP2_ERR_DEFERRED;
    }
    if (err != ERR_OK) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    note_progress(stream);
    if (response->given < response->length) return (ssize_t)len;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return submit_trailers(stream, flags) == 0 ? (ssize_t)len : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Gives the response to nghttp2, if there is one. */
static int submit(struct http2_stream *stream)
{
    const struct response *response = &stream->exchange.response;
    if (stream->submitted || !exchange_has_response(&stream->exchange)) return 0;
    char status[16];
    snprintf(status, sizeof(status), "%u", response->status);
    nghttp2_nv fields[RESPONSE_FIELDS + 1];
    size_t num_fields = 0;
    fields[num_fields++] = pair(":status", status);
    for (size_t i = 0, num = response_num_fields(response); i < num; i++) {
        struct header_table_field field = response_field(response, i);
        fields[num_fields++] = pair(field.name, field.value);
    }
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    stream->submitted = true;
    set_committing(stream, false);
    note_progress(stream);
    return nghttp2_submit_response(stream->http2->nghttp2, stream->id, fields, num_fields,
                                   response_has_body(response) ? &body : NULL);
}

/* Gives the client room for what has been taken of the body: what an application leaves lying, the client is not to send
 * more of. */
static int consume(struct http2_stream *stream)
{
    size_t unsent = exchange_unsent(&stream->exchange);
    if (unsent >= stream->unconsumed) return 0;
    size_t taken = stream->unconsumed - unsent;
    stream->unconsumed = unsent;
    note_progress(stream);
    return nghttp2_session_consume(stream->http2->nghttp2, stream->id, taken);
}

static void stream_ready(void *context)
{
    struct http2_stream *stream = context;
    struct http2 *http2 = stream->http2;
    int error = submit(stream);
    if (error == 0 && stream->deferred && exchange_has_more(&stream->exchange)) {
        stream->deferred = false;
        set_committing(stream, false);
        note_progress(stream);
        error = nghttp2_session_resume_data(http2->nghttp2, stream->id);
    }
    if (error == 0) error = consume(stream);
    if (error != 0) http2->failed = true;
    http2->host.wake(http2->host.context);
}

static int submit_interim(struct http2_stream *stream, unsigned code, const struct header_table_field *fields,
                          size_t num_fields)
{
    char status[16];
    nghttp2_nv pairs[LIMIT_HTTP_FIELDS + 1];
    snprintf(status, sizeof(status), "%u", code);
    pairs[0] = pair(":status", status);
    for (size_t i = 0; i < num_fields; i++) pairs[i + 1] = pair(fields[i].name, fields[i].value);
    return nghttp2_submit_headers(stream->http2->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NULL, pairs, num_fields + 1,
                                  NULL);
}

static int say_continue(struct http2_stream *stream)
{
    stream->awaits_continue = false;
    note_progress(stream);
    return submit_interim(stream, ANSWER_CONTINUE, NULL, 0);
}

static void stream_interim(void *context, const struct answer *answer)
{
    struct http2_stream *stream = context;
    int error = 0;
    if (answer->status != ANSWER_CONTINUE)
        error = submit_interim(stream, answer->status, answer->fields, answer->num_fields);
    else if (stream->awaits_continue)
        error = say_continue(stream);
    if (error != 0) stream->http2->failed = true;
}

/* For anything but its client. */
static bool waits_elsewhere(const struct http2_stream *stream)
{
    return stream->committing || stream->unconsumed > 0 || stream->awaits_continue;
}

static uint64_t oldest_progress(const struct http2 *http2)
{
    uint64_t oldest = UINT64_MAX;
    for (const struct http2_stream *stream = http2->streams; stream != NULL; stream = stream->next)
        if (!waits_elsewhere(stream) && stream->progress_ms < oldest) oldest = stream->progress_ms;
    return oldest;
}

uint64_t http2_stream_deadline(const struct http2 *http2)
{
    uint64_t oldest = oldest_progress(http2);
    return oldest != UINT64_MAX ? oldest + DEADLINE_BODY_MS : 0;
}

/* Where the request is what is missing, there is still an answer to give. */
static int expire(struct http2_stream *stream)
{
    static const struct fault late = {HTTP_STATUS_REQUEST_TIMEOUT, "the body did not come in time"};
    bool answered = stream->submitted || stream->request_ended;
    note_progress(stream);
    if (answered)
        return nghttp2_submit_rst_stream(stream->http2->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
    exchange_refuse(&stream->exchange, late);
    return submit(stream);
}

int http2_stream_expire(struct http2 *http2)
{
    uint64_t now = clock_monotonic_ms(), limit = oldest_progress(http2);
    if (now >= DEADLINE_BODY_MS && now - DEADLINE_BODY_MS > limit) limit = now - DEADLINE_BODY_MS;
    int error = 0;
    for (struct http2_stream *stream = http2->streams; stream != NULL && error == 0; stream = stream->next)
        if (!waits_elsewhere(stream) && stream->progress_ms <= limit) error = expire(stream);
    return error;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *http2 = context;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    /* GOAWAY says that it is not served; the client may ask somebody else, so it must be true (RFC 9113, 6.8). */
    if (http2->draining && frame->hd.stream_id > http2->last_stream)
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    struct http2_stream *stream = stream_new(http2, frame->hd.stream_id);
    if (stream == NULL) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static struct fault add_header(struct request *request, struct bytes name, struct bytes value)
{
    static const struct bytes host = {(const uint8_t *)"host", 4};
    if (name.len == 0 || name.data[0] != ':') return request_add_field(request, name, value);
    if (bytes_equal(name, (struct bytes){(const uint8_t *)":method", 7})) {
        request_set_method(request, value);
    } else if (bytes_equal(name, (struct bytes){(const uint8_t *)":path", 5})) {
        return target_parse(&request->target, (const char *)value.data, value.len);
    } else if (bytes_equal(name, (struct bytes){(const uint8_t *)":authority", 10})) {
        return request_add_field(request, host, value);
    }
    return (struct fault){0, NULL};
}

/* HPACK makes kilobytes of one byte. A header section that is a little too long is answered, and read to its end for
 * that; one that goes on and on is not. */
static bool is_bomb(struct http2_stream *stream, size_t field_len)
{
    stream->headers_len += field_len + 32;
    if (stream->headers_len <= LIMIT_H2_HEADER_BOMB) return false;
    http2_cut(stream->http2, "header section far too long");
    return true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    (void)session;
    (void)flags;
    struct http2_stream *stream = stream_of(context, frame->hd.stream_id);
    if (stream == NULL) return 0;
    if (is_bomb(stream, name_len + value_len)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const struct bytes name_bytes = {name, name_len}, value_bytes = {value, value_len};
    const bool head = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (head && exchange_has_response(&stream->exchange)) return 0;
    struct fault fault = head ? add_header(&stream->exchange.request, name_bytes, value_bytes)
                              : exchange_trailer(&stream->exchange, name_bytes, value_bytes);
    if (fault.status != 0) exchange_refuse(&stream->exchange, fault);
    return 0;
}

static int end_request(struct http2_stream *stream)
{
    stream->request_ended = true;
    exchange_end(&stream->exchange);
    set_committing(stream, !exchange_has_response(&stream->exchange) || stream->deferred);
    return submit(stream);
}

static int on_request(struct http2_stream *stream, bool ended)
{
    struct exchange *exchange = &stream->exchange;
    struct request *request = &exchange->request;
    /* CONNECT has no :path (RFC 9113, 8.5): what HTTP/1 calls its target is in :authority. */
    if (request->method == HTTP_CONNECT && request->target.path == NULL && !exchange_has_response(exchange)) {
        struct fault fault = target_parse(&request->target, request->host, strlen(request->host));
        if (fault.status != 0) exchange_refuse(exchange, fault);
    }
    request->has_body = !ended;
    if (!exchange_has_response(exchange)) exchange_begin(exchange);
    if (ended) return end_request(stream);
    if (!exchange->request.expect_continue || exchange_has_response(exchange)) return submit(stream);
    stream->awaits_continue = exchange_is_relayed(exchange);
    return stream->awaits_continue || say_continue(stream) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void count_control(struct http2 *http2, const char *reason)
{
    if (meter_count(&http2->controls, clock_monotonic_ms()) == METER_FLOOD) http2_cut(http2, reason);
}

static void count_reset(struct http2 *http2)
{
    if (meter_count(&http2->resets, clock_monotonic_ms()) == METER_FLOOD) http2_cut(http2, "streams reset too fast");
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct http2 *http2 = context;
    bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct http2_stream *stream = stream_of(http2, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        http2->useful_len += frame->hd.length;
        if (stream == NULL) return 0;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            http2_notice(http2);
            return on_request(stream, end_stream);
        }
        return end_stream ? end_request(stream) : 0;
    case NGHTTP2_DATA:
        if (frame->hd.length == 0 && !end_stream) count_control(http2, "empty DATA frames");
        return stream != NULL && end_stream ? end_request(stream) : 0;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) http2_note_heard(http2);
        count_control(http2, "PING frames");
        return 0;
    case NGHTTP2_SETTINGS: count_control(http2, "SETTINGS frames"); return 0;
    case NGHTTP2_RST_STREAM:
        /* One without an error cancels as well as any other. */
        if (frame->rst_stream.error_code == NGHTTP2_NO_ERROR) count_reset(http2);
        return 0;
    default: return 0;
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *context)
{
    (void)flags;
    struct http2 *http2 = context;
    struct http2_stream *stream = stream_of(http2, id);
    if (stream == NULL) return nghttp2_session_consume_connection(session, len);
    if (len > 0) note_progress(stream);
    stream->awaits_continue = false;
    stream->unconsumed += len;
    http2->useful_len += len;
    exchange_body(&stream->exchange, (struct bytes){data, len});
    return submit(stream) == 0 && consume(stream) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void log_goaway(const struct http2 *http2, uint32_t error)
{
    if (error == NGHTTP2_NO_ERROR) return;
    http2->site->counters.requests_refused++;
    if (!http_site_may_log(http2->site)) return;
    log_line("connection refused peer=%s error=%s reason=%s", log_quote(http2->peer->address),
             nghttp2_http2_strerror(error), log_quote(http2->flood != NULL ? http2->flood : "not HTTP/2"));
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *http2 = context;
    if (frame->hd.type == NGHTTP2_GOAWAY) log_goaway(http2, frame->goaway.error_code);
    bool content = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (content) http2->useful_len += frame->hd.length;
    if (!content || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    /* The whole answer is out while the question still comes: the rest of it is not wanted (RFC 9113, 8.1). */
    const struct http2_stream *stream = stream_of(http2, frame->hd.stream_id);
    if (stream == NULL || stream->request_ended) return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *context)
{
    (void)session;
    struct http2 *http2 = context;
    http2->site->counters.requests_refused++;
    if (!http_site_may_log(http2->site)) return 0;
    log_line("request refused peer=%s status=%u reason=%s stream=%d", log_quote(http2->peer->address),
             (unsigned)HTTP_STATUS_BAD_REQUEST, log_quote(nghttp2_strerror(error)), frame->hd.stream_id);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct http2 *http2 = context;
    struct http2_stream *stream = stream_of(http2, id);
    if (error != NGHTTP2_NO_ERROR) count_reset(http2);
    if (stream == NULL) return 0;
    size_t unconsumed = stream->unconsumed;
    http2_stream_free(stream);
    /* The connection's window is not the stream's alone. */
    return nghttp2_session_consume_connection(session, unconsumed);
}

void http2_stream_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
