#include "web/http/http1.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "web/http/buffer.h"
#include "web/http/http1_head.h"
#include "web/http/http1_scan.h"
#include "web/http/http1_write.h"
#include "web/http/site_internal.h"

/* A whole head within its limits: request line, header section, empty lines. */
#define MAX_HEAD ((size_t)LIMIT_HTTP_TARGET + LIMIT_HTTP_HEADER + 128)

enum http1_state {
    HTTP1_IDLE,     /* between requests */
    HTTP1_HEAD,     /* inside a head */
    HTTP1_BODY,     /* inside a body */
    HTTP1_COMMIT,   /* the message is complete; the answer waits for the disk */
    HTTP1_RESPONSE, /* the answer is being given */
    HTTP1_TUNNEL,   /* after 101: bytes go both ways */
    HTTP1_CLOSED,   /* what is in the output is the last */
};

struct http1 {
    struct session session;
    struct http_site *site;
    const struct session_peer *peer;
    struct session_host host;
    enum http1_state state;
    bool draining;
    bool retiring;
    bool ended;           /* the peer sends no more */
    bool awaits_continue; /* the client does, and it is the application's to say */
    bool last_chunk;      /* of a chunked response, is in the output */
    bool cut;             /* the response broke off; HTTP/1.0 may know its end by the connection's alone */
    enum exchange_after after;
    uint64_t deadline;
    struct buffer input;
    struct buffer head;
    struct buffer output;
    /* While state is neither HTTP1_IDLE nor HTTP1_CLOSED: */
    struct exchange exchange;
    struct http1_message message;
    struct scan scan;
    uint64_t content_left; /* of a body with a length, or of a chunk */
};

static struct http1 *http1_of(struct session *session)
{
    return (struct http1 *)session;
}

static const struct http1 *http1_of_const(const struct session *session)
{
    return (const struct http1 *)session;
}

static unsigned idle_ms(const struct http1 *http1)
{
    const unsigned most = http1->site->config.idle_timeout_ms;
    return http1->retiring && most > DEADLINE_RETIRE_IDLE_MS ? DEADLINE_RETIRE_IDLE_MS : most;
}

static void set_state(struct http1 *http1, enum http1_state state)
{
    uint64_t now = clock_monotonic_ms();
    http1->state = state;
    switch (state) {
    case HTTP1_IDLE: http1->deadline = now + idle_ms(http1); break;
    case HTTP1_HEAD: http1->deadline = now + DEADLINE_HEADER_MS; break;
    case HTTP1_BODY: http1->deadline = now + DEADLINE_BODY_MS; break;
    case HTTP1_COMMIT:
    case HTTP1_RESPONSE:
    case HTTP1_TUNNEL:
    case HTTP1_CLOSED: http1->deadline = 0; break;
    }
}

static void close_session(struct http1 *http1)
{
    if (http1->state != HTTP1_IDLE && http1->state != HTTP1_CLOSED) exchange_cleanup(&http1->exchange);
    buffer_free(&http1->input);
    buffer_free(&http1->head);
    set_state(http1, HTTP1_CLOSED);
}

/* What the client has said meanwhile is meant for the application. */
static void begin_tunnel(struct http1 *http1)
{
    struct bytes early = buffer_left(&http1->input);
    if (early.len > 0) exchange_body(&http1->exchange, early);
    buffer_free(&http1->input);
    if (http1->ended) exchange_end(&http1->exchange);
}

/* The exchange has a response: writes its head, and lets produce give the body. */
static void respond(struct http1 *http1)
{
    http1->after = http1->exchange.after;
    http1->last_chunk = false;
    if (http1->exchange.response.framing == RESPONSE_OPEN && !http1_write_is_chunked(&http1->exchange))
        http1->after = AFTER_CLOSE; /* its end is the connection's */
    if (!http1->message.complete || !http1_message_keeps_alive(&http1->message)) http1->after = AFTER_CLOSE;
    if (http1->draining || http1->retiring) http1->after = AFTER_CLOSE;
    bool tunnel = http1->exchange.response.status == HTTP_STATUS_SWITCHING_PROTOCOLS;
    set_state(http1, tunnel ? HTTP1_TUNNEL : HTTP1_RESPONSE);
    if (http1_write_head(&http1->output, &http1->exchange, http1->after) != ERR_OK)
        close_session(http1);
    else if (tunnel)
        begin_tunnel(http1);
}

static void refuse(struct http1 *http1, struct fault fault)
{
    exchange_refuse(&http1->exchange, fault);
    respond(http1);
}

static void ready(void *context)
{
    struct http1 *http1 = context;
    CHECK(http1->state == HTTP1_COMMIT || http1->exchange.relay != NULL || exchange_has_response(&http1->exchange));
    bool unanswered = http1->state == HTTP1_COMMIT || http1->state == HTTP1_BODY;
    if (unanswered && exchange_has_response(&http1->exchange))
        respond(http1);
    else if (http1->state == HTTP1_BODY)
        set_state(http1, HTTP1_BODY); /* the client's time begins now */
    http1->host.wake(http1->host.context);
}

static enum err say_continue(struct http1 *http1)
{
    http1->awaits_continue = false;
    set_state(http1, HTTP1_BODY);
    return http1_write_continue(&http1->output);
}

/* HTTP/1.0 knows no 1xx (RFC 9110, 15.2). Hints without which a client does as well are not worth an error; nor is the other: it sends
 * its body when it has waited for long enough, or is late with it. The session must not be closed here, where its relay is reading. */
static void interim(void *context, const struct answer *answer)
{
    struct http1 *http1 = context;
    bool waits = http1->state == HTTP1_BODY || http1->state == HTTP1_COMMIT;
    if (!waits || http1->exchange.request.version != VERSION_HTTP11) return;
    if (answer->status != ANSWER_CONTINUE)
        (void)!http1_write_hints(&http1->output, answer);
    else if (http1->awaits_continue)
        (void)!say_continue(http1);
}

static void start_request(struct http1 *http1)
{
    exchange_init(&http1->exchange, http1->site, http1->peer, VERSION_HTTP11);
    exchange_listen(&http1->exchange, ready, interim, http1);
    exchange_start(&http1->exchange);
    http1_message_init(&http1->message, &http1->exchange);
    scan_start(&http1->scan, SCAN_HEAD);
    http1->content_left = 0;
    set_state(http1, HTTP1_HEAD);
}

static void end_message(struct http1 *http1)
{
    exchange_end(&http1->exchange);
    if (exchange_has_response(&http1->exchange))
        respond(http1);
    else
        set_state(http1, HTTP1_COMMIT);
}

static void start_body(struct http1 *http1, enum request_framing framing)
{
    set_state(http1, HTTP1_BODY);
    if (framing == FRAMING_LENGTH)
        http1->content_left = http1->exchange.request.length;
    else
        scan_start(&http1->scan, SCAN_CHUNK_SIZE);
    http1->awaits_continue = http1->exchange.request.expect_continue && exchange_is_relayed(&http1->exchange);
    const bool says = http1->exchange.request.expect_continue && !http1->awaits_continue;
    if (says && say_continue(http1) != ERR_OK) close_session(http1);
}

static void end_head(struct http1 *http1)
{
    struct fault fault =
        http1_message_head(&http1->message, http1->head.data + http1->head.start, http1->head.end - http1->head.start);
    buffer_free(&http1->head);
    http1->exchange.request.has_body = request_framing(&http1->exchange.request) != FRAMING_NONE;
    if (fault.status != 0) {
        refuse(http1, fault);
        return;
    }
    exchange_begin(&http1->exchange);
    enum request_framing framing = request_framing(&http1->exchange.request);
    if (exchange_has_response(&http1->exchange))
        respond(http1);
    else if (framing == FRAMING_NONE)
        end_message(http1);
    else
        start_body(http1, framing);
}

static size_t receive_head(struct http1 *http1, struct bytes data)
{
    size_t len;
    struct fault fault = scan_bytes(&http1->scan, data, &len);
    enum err err = buffer_append(&http1->head, (struct bytes){data.data, len}, MAX_HEAD);
    if (fault.status == 0 && err != ERR_OK)
        fault = (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory for the request"};
    if (fault.status != 0)
        refuse(http1, fault);
    else if (http1->scan.done)
        end_head(http1);
    return len;
}

/* A run of lines of a chunked body is complete. */
static void next_part(struct http1 *http1)
{
    switch (http1->scan.part) {
    case SCAN_CHUNK_SIZE:
        http1->content_left = http1->message.chunk_len;
        scan_start(&http1->scan, http1->message.chunk_len > 0 ? SCAN_CHUNK_END : SCAN_TRAILERS);
        break;
    case SCAN_CHUNK_END: scan_start(&http1->scan, SCAN_CHUNK_SIZE); break;
    case SCAN_HEAD:
    case SCAN_ANSWER:
    case SCAN_TRAILERS: break;
    }
}

static size_t receive_content(struct http1 *http1, struct bytes data, struct fault *out_fault)
{
    size_t len = http1->content_left < data.len ? (size_t)http1->content_left : data.len;
    http1->content_left -= len;
    *out_fault = http1_message_more(&http1->message, (struct bytes){data.data, len});
    return len;
}

/* They are understood when all are there, so that each is whole. */
static struct fault receive_trailers(struct http1 *http1, struct bytes lines)
{
    struct buffer *tail = &http1->head;
    if (buffer_append(tail, lines, MAX_HEAD) != ERR_OK)
        return (struct fault){HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory for the request"};
    if (!http1->scan.done) return (struct fault){0, NULL};
    struct fault fault = http1_message_trailers(&http1->message, tail->data + tail->start, tail->end - tail->start);
    buffer_free(tail);
    return fault;
}

static size_t receive_lines(struct http1 *http1, struct bytes data, struct fault *out_fault)
{
    size_t len;
    *out_fault = scan_bytes(&http1->scan, data, &len);
    struct bytes lines = {data.data, len};
    if (out_fault->status == 0)
        *out_fault = http1->scan.part == SCAN_TRAILERS ? receive_trailers(http1, lines)
                                                       : http1_message_more(&http1->message, lines);
    if (out_fault->status != 0 || !http1->scan.done) return len;
    if (http1->scan.part == SCAN_CHUNK_SIZE && !http1->message.chunk_begun)
        *out_fault = (struct fault){HTTP_STATUS_BAD_REQUEST, "chunk size line not understood"};
    http1->message.chunk_begun = false;
    next_part(http1);
    return len;
}

static size_t receive_body(struct http1 *http1, struct bytes data)
{
    struct fault fault;
    size_t len = http1->content_left > 0 ? receive_content(http1, data, &fault) : receive_lines(http1, data, &fault);
    http1->deadline = clock_monotonic_ms() + DEADLINE_BODY_MS;
    http1->awaits_continue = false;
    if (fault.status != 0)
        refuse(http1, fault);
    else if (exchange_has_response(&http1->exchange))
        respond(http1);
    else if (http1->message.complete)
        end_message(http1);
    return len;
}

static bool takes_input(const struct http1 *http1)
{
    return http1->state == HTTP1_IDLE || http1->state == HTTP1_HEAD || http1->state == HTTP1_BODY ||
           http1->state == HTTP1_TUNNEL;
}

/* Works through data as long as requests are being read, and says how much that was. */
static size_t consume(struct http1 *http1, struct bytes data)
{
    size_t at = 0;
    while (at < data.len && takes_input(http1)) {
        struct bytes rest = {data.data + at, data.len - at};
        if (http1->state == HTTP1_TUNNEL) {
            exchange_body(&http1->exchange, rest);
            return data.len;
        }
        if (http1->state == HTTP1_IDLE) start_request(http1);
        at += http1->state == HTTP1_HEAD ? receive_head(http1, rest) : receive_body(http1, rest);
    }
    return at;
}

static enum err http1_receive(struct session *session, const uint8_t *data, size_t len)
{
    struct http1 *http1 = http1_of(session);
    size_t done = consume(http1, (struct bytes){data, len});
    if (http1->state == HTTP1_CLOSED || done == len) return ERR_OK;
    return buffer_append(&http1->input, (struct bytes){data + done, len - done}, LIMIT_HTTP_PENDING);
}

/* The peer sends no more, and a request is wanted. */
static void end_input(struct http1 *http1)
{
    if (http1->state == HTTP1_IDLE)
        close_session(http1);
    else if (http1->state == HTTP1_TUNNEL)
        exchange_end(&http1->exchange);
    else
        refuse(http1, (struct fault){HTTP_STATUS_BAD_REQUEST, "the connection ended inside the request"});
}

static void http1_receive_end(struct session *session)
{
    struct http1 *http1 = http1_of(session);
    http1->ended = true;
    if (takes_input(http1)) end_input(http1);
}

/* The response is completely given. */
static void end_response(struct http1 *http1)
{
    if (http1->after == AFTER_CLOSE || http1->draining) {
        close_session(http1);
        return;
    }
    exchange_cleanup(&http1->exchange);
    set_state(http1, HTTP1_IDLE);
    size_t used = consume(http1, buffer_left(&http1->input));
    if (http1->state == HTTP1_CLOSED) return; /* and the input is freed */
    buffer_drop(&http1->input, used);
    if (buffer_left(&http1->input).len == 0) buffer_free(&http1->input); /* waiting costs little memory */
    if (http1->ended && takes_input(http1)) end_input(http1);
}

static enum err next_chunk(struct http1 *http1)
{
    uint8_t piece[16384];
    size_t len;
    enum err err = response_read(&http1->exchange.response, piece, &len, sizeof(piece));
    if (err != ERR_OK) return err;
    http1->last_chunk = len == 0;
    err = len > 0 ? http1_write_chunk(&http1->output, (struct bytes){piece, len})
                  : http1_write_last_chunk(&http1->output, &http1->exchange);
    return err == ERR_OK ? ERR_OK : ERR_MEMORY;
}

/* The next bytes of the response's body; none at its end. ERR_AGAIN: not now. */
static enum err next_bytes(struct http1 *http1, uint8_t *out, size_t *out_len, size_t cap)
{
    if (!http1_write_is_chunked(&http1->exchange) && !http1->last_chunk)
        return response_read(&http1->exchange.response, out, out_len, cap);
    if (buffer_left(&http1->output).len == 0 && !http1->last_chunk) {
        enum err err = next_chunk(http1);
        if (err != ERR_OK) return err;
    }
    *out_len = buffer_take(&http1->output, out, cap);
    return ERR_OK;
}

static bool gives_response(const struct http1 *http1)
{
    return http1->state == HTTP1_RESPONSE || http1->state == HTTP1_TUNNEL;
}

static size_t http1_produce(struct session *session, uint8_t *out, size_t cap)
{
    struct http1 *http1 = http1_of(session);
    size_t len = buffer_take(&http1->output, out, cap);
    while (gives_response(http1) && len < cap) {
        size_t more = 0;
        enum err err = next_bytes(http1, out + len, &more, cap - len);
        len += more;
        if (err == ERR_AGAIN) break;
        if (err != ERR_OK) {
            http1->cut = true;
            close_session(http1); /* in the middle of a body there is nothing else to say */
        } else if (more == 0) {
            end_response(http1);
            len += buffer_take(&http1->output, out + len, cap - len);
        }
    }
    return len;
}

/* While an application is waited for, the client is listened to for its end alone; what it says is kept. */
static bool listens(const struct http1 *http1)
{
    bool waits = http1->state == HTTP1_COMMIT || http1->state == HTTP1_RESPONSE;
    return waits && http1->exchange.relay != NULL && buffer_left(&http1->input).len < LIMIT_HTTP_BODY;
}

static unsigned http1_wants(const struct session *session)
{
    const struct http1 *http1 = http1_of_const(session);
    unsigned wants = 0;
    if (buffer_left(&http1->output).len > 0 || gives_response(http1)) wants |= SESSION_WRITE;
    bool carries = http1->state == HTTP1_BODY || http1->state == HTTP1_TUNNEL;
    bool full = carries && !exchange_wants_body(&http1->exchange);
    if ((takes_input(http1) && !full) || listens(http1)) wants |= SESSION_READ;
    if (http1->state == HTTP1_CLOSED) wants |= http1->cut ? SESSION_CLOSE | SESSION_CUT : SESSION_CLOSE;
    return wants;
}

/* Whether it is the application's turn, which has deadlines of its own (web/proxy). */
static bool waits_for_application(const struct http1 *http1)
{
    switch (http1->state) {
    case HTTP1_BODY: return http1->awaits_continue || !exchange_wants_body(&http1->exchange);
    case HTTP1_TUNNEL: return true;
    case HTTP1_COMMIT:
    case HTTP1_RESPONSE: return http1->exchange.relay != NULL;
    case HTTP1_IDLE:
    case HTTP1_HEAD:
    case HTTP1_CLOSED: break;
    }
    return false;
}

static uint64_t http1_deadline(const struct session *session)
{
    const struct http1 *http1 = http1_of_const(session);
    if (waits_for_application(http1)) return clock_monotonic_ms() + DEADLINE_BODY_MS; /* to look again, no more */
    return http1->deadline;
}

static void http1_expire(struct session *session)
{
    struct http1 *http1 = http1_of(session);
    if (waits_for_application(http1)) return;
    switch (http1->state) {
    case HTTP1_IDLE: close_session(http1); break;
    case HTTP1_HEAD:
        refuse(http1, (struct fault){HTTP_STATUS_REQUEST_TIMEOUT, "the header section did not come in time"});
        break;
    case HTTP1_BODY: refuse(http1, (struct fault){HTTP_STATUS_REQUEST_TIMEOUT, "the body did not come in time"}); break;
    case HTTP1_COMMIT:
    case HTTP1_RESPONSE:
    case HTTP1_TUNNEL:
    case HTTP1_CLOSED: break;
    }
}

static void http1_drain(struct session *session)
{
    struct http1 *http1 = http1_of(session);
    http1->draining = true;
    /* The client may have sent a request before it can know. */
    if (http1->state == HTTP1_IDLE) http1->deadline = clock_monotonic_ms() + DEADLINE_DRAIN_MS;
}

/* A request that is on its way is served, and its answer says that it is the last. */
static void http1_retire(struct session *session)
{
    struct http1 *http1 = http1_of(session);
    http1->retiring = true;
    if (http1->state == HTTP1_IDLE) set_state(http1, HTTP1_IDLE);
}

static void http1_free(struct session *session)
{
    struct http1 *http1 = http1_of(session);
    close_session(http1);
    buffer_free(&http1->output);
    free(http1);
}

static const struct session_ops ops = {
    .receive = http1_receive,
    .receive_end = http1_receive_end,
    .produce = http1_produce,
    .wants = http1_wants,
    .deadline = http1_deadline,
    .expire = http1_expire,
    .drain = http1_drain,
    .retire = http1_retire,
    .free = http1_free,
};

struct session *http1_session_new(struct http_site *site, const struct session_peer *peer,
                                  const struct session_host *host)
{
    struct http1 *http1 = calloc(1, sizeof(*http1));
    if (http1 == NULL) return NULL;
    http1->session.ops = &ops;
    http1->site = site;
    http1->peer = peer;
    http1->host = *host;
    set_state(http1, HTTP1_IDLE);
    return &http1->session;
}
