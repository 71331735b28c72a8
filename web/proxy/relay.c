#include "web/proxy/relay.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "web/proxy/relay_internal.h"
#include "web/proxy/request_head.h"

/* How many reads one wake-up of the loop is worth. */
enum { READS_PER_WAKE = 4 };

static const struct fault no_connection = {HTTP_STATUS_BAD_GATEWAY, "the application cannot be reached"};
static const struct fault no_tls = {HTTP_STATUS_BAD_GATEWAY, "TLS with the application failed"};
static const struct fault no_answer = {HTTP_STATUS_BAD_GATEWAY, "the application closed the connection unanswered"};
static const struct fault late_connection = {HTTP_STATUS_GATEWAY_TIMEOUT, "no connection to the application in time"};
static const struct fault late_answer = {HTTP_STATUS_GATEWAY_TIMEOUT, "no answer from the application in time"};
static const struct fault late_request = {HTTP_STATUS_GATEWAY_TIMEOUT, "the application does not take the request"};
static const struct fault no_memory = {HTTP_STATUS_SERVICE_UNAVAILABLE, "no memory"};

/* ---- Deadlines ---- */

size_t relay_unsent(const struct relay *relay)
{
    return buffer_left(&relay->head).len - relay->head_sent + buffer_left(&relay->body).len;
}

static bool wants_answer_bytes(const struct relay *relay)
{
    return !relay->answer.complete && buffer_left(&relay->content).len < LIMIT_PROXY_BUFFER;
}

/* Where the client is what is waited for, its own deadlines hold. */
static unsigned patience_ms(const struct relay *relay)
{
    const struct proxy_deadlines *deadlines = &relay->proxy->config.deadlines;
    if (relay->broken || relay->answer.complete) return 0;
    if (relay->upstream == NULL) return deadlines->connect_ms;
    if (relay->tunnel) return deadlines->tunnel_ms;
    if (relay->answer.head_complete) return wants_answer_bytes(relay) ? deadlines->body_ms : 0;
    if (relay_unsent(relay) > 0) return deadlines->write_ms;
    return relay->ended || relay->unsendable || relay->expects ? deadlines->answer_ms : 0;
}

/* The timer looks again at least this often; what ends earlier sets it earlier. */
enum { LOOK_MS = 5000 };

static void set_alarm(struct relay *relay)
{
    uint64_t now = clock_monotonic_ms(), at = now + LOOK_MS;
    unsigned patience = patience_ms(relay);
    if (patience > 0 && relay->progress_ms + patience < at) at = relay->progress_ms + patience;
    if (ev_is_active(&relay->timer) && relay->alarm <= at) return;
    ev_timer_stop(relay->proxy->loop, &relay->timer);
    ev_timer_set(&relay->timer, at > now ? (double)(at - now) / 1e3 : 0, 0);
    ev_timer_start(relay->proxy->loop, &relay->timer);
    relay->alarm = at;
}

static void note_progress(struct relay *relay)
{
    relay->progress_ms = clock_monotonic_ms();
    set_alarm(relay);
}

/* ---- Ends ---- */

static void drop_upstream(struct relay *relay)
{
    if (relay->upstream != NULL) upstream_close(relay->upstream);
    relay->upstream = NULL;
}

static void forget_request(struct relay *relay)
{
    buffer_free(&relay->head);
    buffer_free(&relay->body);
    request_trailers_free(&relay->trailers);
    relay->head_sent = 0;
}

/* There will be no more of the answer. Before its head the client is told why; afterwards it sees the answer cut. */
static void fail(struct relay *relay, struct fault fault)
{
    if (relay->broken || relay->answer.complete) return;
    relay->broken = true;
    if (!relay->answer.head_complete) relay->fault = fault;
    proxy_stop_waiting(relay->proxy, relay);
    drop_upstream(relay);
    forget_request(relay);
    ev_timer_stop(relay->proxy->loop, &relay->timer);
}

/* The answer is complete. Whoever has not heard the whole question, or says more than was asked, gets no other. */
static void finish(struct relay *relay, bool superfluous)
{
    struct upstream *upstream = relay->upstream;
    relay->upstream = NULL;
    ev_timer_stop(relay->proxy->loop, &relay->timer);
    bool reusable = relay->answer.keeps_alive && relay->ended && relay_unsent(relay) == 0 && !superfluous;
    forget_request(relay);
    if (!reusable || relay->unsendable) {
        upstream_close(upstream);
        return;
    }
    upstream->used = true;
    proxy_give_back(upstream);
}

/* A connection that was kept may have been closed by the other side at any time: then nobody has seen the request. The
 * second attempt is on a connection of its own. If it fails, there may be no connection any more. */
static bool retry(struct relay *relay)
{
    if (!relay->may_retry || relay->retried || relay->answer.begun || !relay->upstream->used) return false;
    drop_upstream(relay);
    relay->retried = true;
    relay->unsendable = false;
    relay->head_sent = 0;
    note_progress(relay);
    return proxy_wait(relay->proxy, relay) == ERR_OK;
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct relay *relay = watcher->data;
    unsigned patience = patience_ms(relay);
    if (relay->broken) {
        relay->changed(relay->context);
        return;
    }
    if (patience == 0 || clock_monotonic_ms() < relay->progress_ms + patience) {
        set_alarm(relay);
        return;
    }
    if (relay->upstream == NULL)
        fail(relay, late_connection);
    else
        fail(relay, relay_unsent(relay) > 0 ? late_request : late_answer);
    relay->changed(relay->context);
}

/* ---- The request ---- */

static void watch(struct relay *relay)
{
    if (relay->upstream == NULL) return;
    int events = wants_answer_bytes(relay) ? EV_READ : 0;
    if (relay_unsent(relay) > 0 && !relay->unsendable) events |= EV_WRITE;
    upstream_watch(relay->upstream, events);
}

/* The application takes no more. Its answer may be there all the same; reading will tell. */
static void stop_sending(struct relay *relay)
{
    relay->unsendable = true;
    buffer_drop(&relay->body, buffer_left(&relay->body).len);
    ev_feed_event(relay->proxy->loop, &relay->upstream->io, EV_READ);
}

static void note_sent(struct relay *relay, size_t len)
{
    size_t head_left = buffer_left(&relay->head).len - relay->head_sent;
    size_t of_head = len < head_left ? len : head_left;
    relay->head_sent += of_head;
    buffer_drop(&relay->body, len - of_head);
    if (!relay->may_retry && relay->head_sent == buffer_left(&relay->head).len) {
        buffer_free(&relay->head);
        relay->head_sent = 0;
    }
    note_progress(relay);
}

static ssize_t send_some(struct relay *relay)
{
    struct bytes head = buffer_left(&relay->head);
    head.data = head.len > 0 ? head.data + relay->head_sent : NULL;
    head.len -= relay->head_sent;
    return upstream_write(relay->upstream, head, buffer_left(&relay->body));
}

static void send_request(struct relay *relay)
{
    while (relay->upstream != NULL && !relay->unsendable && relay_unsent(relay) > 0) {
        ssize_t sent = send_some(relay);
        if (sent > 0) {
            note_sent(relay, (size_t)sent);
        } else if (errno != EINTR) {
            if (errno != EAGAIN) stop_sending(relay);
            break;
        }
    }
    bool said_all = relay->tunnel && relay->ended && relay_unsent(relay) == 0;
    if (said_all && relay->upstream != NULL) upstream_end(relay->upstream);
    watch(relay);
}

bool relay_wants_body(const struct relay *relay)
{
    return relay->unsendable || relay_unsent(relay) < LIMIT_PROXY_BUFFER;
}

/* One record of the client's is taken beyond the limit; an HTTP/2 client may have its windows' worth under way. */
#define MAX_BODY ((size_t)LIMIT_PROXY_BUFFER + 4u * LIMIT_H2_CONNECTION_WINDOW)

static void add_body(struct relay *relay, struct bytes data)
{
    if (relay->broken || relay->unsendable) return;
    if (buffer_append(&relay->body, data, MAX_BODY) == ERR_OK) return;
    fail(relay, no_memory);
    /* The client is told by the timer: nothing is called from within a call. */
    relay->alarm = 0;
    ev_timer_set(&relay->timer, 0, 0);
    ev_timer_start(relay->proxy->loop, &relay->timer);
}

void relay_body(struct relay *relay, struct bytes data)
{
    char size[24];
    relay->expects = false;
    if (data.len == 0 || relay->broken || relay->answer.complete) return;
    if (relay->chunked) {
        int len = snprintf(size, sizeof(size), "%zx\r\n", data.len);
        add_body(relay, (struct bytes){(const uint8_t *)size, (size_t)len});
    }
    add_body(relay, data);
    if (relay->chunked) add_body(relay, (struct bytes){(const uint8_t *)"\r\n", 2});
    send_request(relay);
}

struct fault relay_trailer(struct relay *relay, struct bytes name, struct bytes value)
{
    if (!relay->chunked || relay->ended || relay->broken || relay->answer.complete) return (struct fault){0, NULL};
    return request_trailers_add(&relay->trailers, name, value);
}

void relay_body_end(struct relay *relay)
{
    if (relay->ended) return;
    relay->ended = true;
    if (relay->broken || relay->answer.complete) return;
    if (relay->chunked) {
        add_body(relay, (struct bytes){(const uint8_t *)"0\r\n", 3});
        add_body(relay, buffer_left(&relay->trailers.lines));
        add_body(relay, (struct bytes){(const uint8_t *)"\r\n", 2});
    }
    send_request(relay);
    note_progress(relay);
}

/* ---- The answer ---- */

static void on_interim(void *context, const struct answer *answer)
{
    struct relay *relay = context;
    if (answer->status == ANSWER_CONTINUE) relay->expects = false;
    if (relay->interim != NULL) relay->interim(relay->context, answer);
}

static void lose(struct relay *relay)
{
    struct diag why;
    if (retry(relay)) return;
    const bool tls = relay->upstream != NULL && relay->upstream->failed;
    if (tls) {
        proxy_tls_explain(relay->upstream, &why);
        proxy_log(relay->proxy, relay->route, "TLS with the application failed", why.text, relay->request_id);
    }
    fail(relay, tls ? no_tls : no_answer);
}

/* Reads once. Whether there may be more. */
static bool read_some(struct relay *relay)
{
    struct proxy *proxy = relay->proxy;
    size_t room = LIMIT_PROXY_BUFFER - buffer_left(&relay->content).len, used;
    size_t want = room < sizeof(proxy->scratch) ? room : sizeof(proxy->scratch);
    if (want == 0) return false;
    ssize_t got = upstream_read(relay->upstream, proxy->scratch, want);
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
        if (got < 0 || answer_end(&relay->answer) != ERR_OK)
            lose(relay);
        else
            finish(relay, true);
        return false;
    }
    note_progress(relay);
    enum err err = answer_receive(&relay->answer, &relay->content, &used, (struct bytes){proxy->scratch, (size_t)got},
                                  LIMIT_PROXY_BUFFER);
    if (err != ERR_OK) {
        fail(relay, err == ERR_MEMORY ? no_memory : (struct fault){HTTP_STATUS_BAD_GATEWAY, relay->answer.fault});
        return false;
    }
    if (relay->answer.head_complete && relay->answer.status == HTTP_STATUS_SWITCHING_PROTOCOLS && !relay->tunnel) {
        relay->tunnel = true;
        relay->ended = false; /* now the client begins to speak */
    }
    if (!relay->answer.complete) return (size_t)got == want;
    finish(relay, used < (size_t)got);
    return false;
}

void relay_io(struct relay *relay, int events)
{
    size_t unsent = relay_unsent(relay);
    if ((events & EV_WRITE) != 0) send_request(relay);
    bool read = (events & EV_READ) != 0 && relay->upstream != NULL;
    for (int i = 0; read && i < READS_PER_WAKE; i++) {
        if (!read_some(relay)) break;
    }
    watch(relay);
    bool moved = read || relay->has_room || relay_unsent(relay) < unsent;
    relay->has_room = false;
    if (moved) relay->changed(relay->context); /* and the relay may be gone */
}

const struct answer *relay_answer(const struct relay *relay)
{
    return relay->answer.head_complete ? &relay->answer : NULL;
}

struct fault relay_fault(const struct relay *relay)
{
    return relay->fault;
}

bool relay_has_content(const struct relay *relay)
{
    return buffer_left(&relay->content).len > 0 || relay->answer.complete || relay->broken;
}

enum err relay_read(struct relay *relay, uint8_t *out, size_t *out_len, size_t cap)
{
    bool was_full = !wants_answer_bytes(relay);
    *out_len = buffer_take(&relay->content, out, cap);
    if (*out_len > 0) {
        if (was_full && wants_answer_bytes(relay) && relay->upstream != NULL) {
            note_progress(relay); /* until now it was the client that was waited for */
            watch(relay);
        }
        return ERR_OK;
    }
    if (relay->answer.complete) return ERR_OK;
    return relay->broken ? ERR_CLOSED : ERR_AGAIN;
}

/* ---- Beginnings ---- */

void relay_connected(struct relay *relay, struct upstream *upstream)
{
    relay->upstream = upstream;
    upstream->relay = relay;
    note_progress(relay);
    send_request(relay);
    /* Not at once: another relay may be in the middle of giving its connection away. */
    relay->has_room = true;
    ev_feed_event(relay->proxy->loop, &upstream->io, EV_WRITE);
}

void relay_not_connected(struct relay *relay, enum relay_lack lack)
{
    fail(relay, lack == RELAY_NO_TLS ? no_tls : no_connection);
    relay->changed(relay->context);
}

/* RFC 9110, 9.2.2. */
static bool is_idempotent(int method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS || method == HTTP_PUT ||
           method == HTTP_DELETE || method == HTTP_PROPFIND;
}

static enum answer_to answer_to(const struct request *request)
{
    if (request->method == HTTP_HEAD) return ANSWER_TO_HEAD;
    return request_head_is_upgrade(request) ? ANSWER_TO_UPGRADE : ANSWER_TO_ANY;
}

static enum err start(struct relay *relay)
{
    struct upstream *upstream = proxy_take_idle(relay->proxy, relay->route);
    if (upstream == NULL) return proxy_wait(relay->proxy, relay);
    relay->upstream = upstream;
    upstream->relay = relay;
    return ERR_OK;
}

enum err relay_begin(struct relay **out, struct proxy *proxy, uint32_t route, const struct relay_request *request)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    if (relay == NULL) return ERR_MEMORY;
    relay->proxy = proxy;
    relay->route = route;
    relay->changed = request->changed;
    relay->interim = request->interim;
    relay->context = request->context;
    relay->progress_ms = clock_monotonic_ms();
    snprintf(relay->request_id, sizeof(relay->request_id), "%s", request->request_id);
    ev_init(&relay->timer, on_timer);
    relay->timer.data = relay;
    enum request_head_body body = request_head_body(request->request);
    relay->chunked = body == REQUEST_HEAD_CHUNKED;
    relay->may_retry = body == REQUEST_HEAD_NO_BODY && is_idempotent(request->request->method);
    relay->expects = body != REQUEST_HEAD_NO_BODY && request->request->expect_continue;
    answer_init(&relay->answer, answer_to(request->request));
    relay->answer.takes_trailers = request->request->takes_trailers;
    relay->answer.interim = on_interim;
    relay->answer.context = relay;
    const char *authority = proxy->config.routes[route].authority;
    enum err err = request_head_nominate(&relay->trailers.nominated, request->request);
    if (err == ERR_OK)
        err = request_head_write(&relay->head, request->request, request->peer, request->request_id, authority);
    if (err == ERR_OK) err = start(relay);
    if (err != ERR_OK) {
        relay_free(relay);
        return err;
    }
    set_alarm(relay);
    if (body != REQUEST_HEAD_NO_BODY) send_request(relay);
    *out = relay;
    return ERR_OK;
}

void relay_free(struct relay *relay)
{
    if (relay == NULL) return;
    proxy_stop_waiting(relay->proxy, relay);
    drop_upstream(relay);
    ev_timer_stop(relay->proxy->loop, &relay->timer);
    answer_cleanup(&relay->answer);
    forget_request(relay);
    buffer_free(&relay->content);
    free(relay);
}
