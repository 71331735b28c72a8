#include "web/signer.h"

#include <ev.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/link.h"
#include "web/expect_queue.h"
#include "web/sign_input.h"
#include "web/sign_requests.h"

struct signer {
    struct ev_loop *loop;
    struct link link; /* fd -1: no channel */
    struct codec_arena *arena;
    ev_io readable, writable;
    ev_timer timer;
    unsigned deadline_ms;
    uint64_t epoch; /* counts the keys */
    struct expect_queue expectations;
    void (*bound)(void *context, uint64_t number, const struct client_bound *client);
    void *bound_context;
    void (*unbound)(void *context, uint64_t number, enum refusal refusal);
    void *unbound_context;
    struct sign_requests requests;
};

static void channel_close(struct signer *signer)
{
    expect_queue_clear(&signer->expectations);
    if (signer->link.fd < 0) return;
    ev_io_stop(signer->loop, &signer->readable);
    ev_io_stop(signer->loop, &signer->writable);
    close(signer->link.fd);
    signer->link.fd = -1;
}

static void channel_lose(struct signer *signer, enum err err)
{
    log_error("signing channel lost reason=%s effect='handshakes fail until the broker sends a new one'",
              err_name(err));
    channel_close(signer);
    sign_requests_fail_all(&signer->requests, "the signing channel was lost");
}

/* ERR_AGAIN: the channel is full. */
static enum err request_send(struct signer *signer, struct sign_request *request)
{
    struct msg msg;
    enum err err =
        sign_input_parse(&msg, request->tls_version, request->scheme, (struct bytes){request->input, request->len});
    CHECK(err == ERR_OK); /* sign() has parsed it before */
    sign_input_set_server(&msg, request->server);
    msg.id = sign_request_id(&signer->requests, request);
    err = link_send(&signer->link, &msg, NULL, 0);
    if (err == ERR_OK) request->state = REQUEST_SENT;
    return err;
}

void signer_expect(struct signer_wait *wait, struct bytes messages)
{
    struct signer *signer = wait->signer;
    if (wait->epoch != signer->epoch || signer->link.fd < 0) return; /* the handshake is lost anyway */
    /* The channel's end is reported by on_readable, to everybody who waits. */
    if (expect_queue_send(&signer->expectations, &signer->link, wait->number, messages) == ERR_AGAIN)
        ev_io_start(signer->loop, &signer->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct signer *signer = watcher->data;
    if (expect_queue_flush(&signer->expectations, &signer->link) == ERR_AGAIN) return;
    while (signer->requests.first_queued != NULL) {
        enum err err = request_send(signer, signer->requests.first_queued);
        if (err == ERR_AGAIN) return;
        if (err != ERR_OK) {
            channel_lose(signer, err);
            sign_requests_tell(&signer->requests);
            return;
        }
        signer->requests.first_queued = signer->requests.first_queued->next;
    }
    ev_io_stop(loop, watcher);
}

static void take_answer(struct signer *signer, const struct msg *msg)
{
    if ((msg->id & EXPECT_QUEUE_ID) != 0) {
        if (msg->kind == MSG_REFUSAL) expect_queue_refused(&signer->expectations, msg->refusal);
        if (msg->kind == MSG_REFUSAL && signer->unbound != NULL)
            signer->unbound(signer->unbound_context, msg->id & ~EXPECT_QUEUE_ID, msg->refusal);
        if (msg->kind == MSG_CLIENT_BOUND && signer->bound != NULL)
            signer->bound(signer->bound_context, msg->id & ~EXPECT_QUEUE_ID, &msg->client_bound);
        return;
    }
    struct sign_request *request = sign_requests_find(&signer->requests, msg->id);
    if (request == NULL || request->state != REQUEST_SENT) return; /* its connection is gone, or was told "too late" */
    if (msg->kind == MSG_CLIENT_BOUND) return;                     /* of no handshake */
    if (msg->kind == MSG_SIGNATURE) {
        sign_requests_answer(&signer->requests, request, msg->signature);
    } else {
        sign_requests_fail(&signer->requests, request, refusal_text(msg->refusal));
    }
}

/* Takes what keyd has said by now. ERR_AGAIN: that was all; another error is the channel's end. */
static enum err take_answers(struct signer *signer)
{
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct msg msg;
        struct packet_extra extra;
        err = link_recv(&signer->link, &msg, &extra, signer->arena);
        if (err == ERR_OK) take_answer(signer, &msg);
    }
    return err;
}

/* Takes all answers there are before any handshake goes on, so that keyd finds room while we compute. */
static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct signer *signer = watcher->data;
    enum err err = take_answers(signer);
    if (err != ERR_AGAIN) channel_lose(signer, err);
    sign_requests_tell(&signer->requests);
}

/* The timer stands for the oldest request at the time it was set; it is not touched when that one is answered. */
static void timer_start(struct signer *signer)
{
    if (ev_is_active(&signer->timer) || signer->requests.waiting.first == NULL) return;
    uint64_t now = clock_monotonic_ms(), deadline = signer->requests.waiting.first->deadline;
    ev_timer_set(&signer->timer, deadline > now ? (double)(deadline - now) / 1e3 + 1e-3 : 1e-3, 0);
    ev_timer_start(signer->loop, &signer->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct signer *signer = watcher->data;
    uint64_t now = clock_monotonic_ms();
    while (signer->requests.waiting.first != NULL && signer->requests.waiting.first->deadline <= now)
        sign_requests_fail(&signer->requests, signer->requests.waiting.first, "keyd did not answer in time");
    sign_requests_tell(&signer->requests);
    timer_start(signer);
}

struct signer *signer_new(struct ev_loop *loop, unsigned deadline_ms)
{
    enum { ARENA = 8192 };
    struct signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL) return NULL;
    signer->arena = codec_arena_new(ARENA);
    if (signer->arena == NULL) {
        free(signer);
        return NULL;
    }
    signer->loop = loop;
    signer->deadline_ms = deadline_ms;
    signer->link = (struct link){.fd = -1, .role = LINK_SIGN_SERVER, .end = LINK_LOWER};
    ev_init(&signer->readable, on_readable);
    ev_init(&signer->writable, on_writable);
    ev_init(&signer->timer, on_timer);
    signer->readable.data = signer->writable.data = signer->timer.data = signer;
    return signer;
}

void signer_free(struct signer *signer)
{
    if (signer == NULL) return;
    channel_close(signer);
    ev_timer_stop(signer->loop, &signer->timer);
    codec_arena_free(signer->arena);
    free(signer);
}

void signer_on_bound(struct signer *signer,
                     void (*bound)(void *context, uint64_t number, const struct client_bound *client), void *context)
{
    signer->bound = bound;
    signer->bound_context = context;
}

void signer_on_unbound(struct signer *signer, void (*unbound)(void *context, uint64_t number, enum refusal refusal),
                       void *context)
{
    signer->unbound = unbound;
    signer->unbound_context = context;
}

void signer_catch_up(struct signer *signer)
{
    if (signer->link.fd < 0) return;
    if (take_answers(signer) != ERR_AGAIN) return; /* the channel's end is reported by on_readable */
    /* And so is to those who have an answer now that they have it. */
    ev_feed_event(signer->loop, &signer->readable, EV_READ);
}

void signer_connect(struct signer *signer, int channel)
{
    signer_catch_up(signer); /* whose handle was used in which connection is still true */
    channel_close(signer);
    signer->epoch++;
    signer->link.fd = channel;
    ev_io_set(&signer->readable, channel, EV_READ);
    ev_io_set(&signer->writable, channel, EV_WRITE);
    ev_io_start(signer->loop, &signer->readable);
    sign_requests_fail_all(&signer->requests, "the server key was replaced");
    sign_requests_tell(&signer->requests);
}

static int ssl_index(void)
{
    static int index = -1;
    if (index < 0) index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    CHECK(index >= 0);
    return index;
}

static enum ssl_private_key_result_t refuse(struct signer_wait *wait, const char *why)
{
    wait->failure = why;
    return ssl_private_key_failure;
}

static enum ssl_private_key_result_t send_or_queue(struct signer *signer, struct sign_request *request)
{
    if (signer->requests.first_queued != NULL) {
        request->state = REQUEST_QUEUED;
        return ssl_private_key_retry;
    }
    enum err err = request_send(signer, request);
    if (err == ERR_AGAIN) {
        request->state = REQUEST_QUEUED;
        signer->requests.first_queued = request;
        ev_io_start(signer->loop, &signer->writable);
    }
    return err == ERR_OK || err == ERR_AGAIN ? ssl_private_key_retry : ssl_private_key_failure;
}

static enum ssl_private_key_result_t method_sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                 uint16_t scheme, const uint8_t *in, size_t in_len)
{
    (void)out;
    (void)out_len;
    (void)max_out;
    struct signer_wait *wait = SSL_get_ex_data(ssl, ssl_index());
    struct signer *signer = wait->signer;
    uint16_t version = (uint16_t)SSL_version(ssl);
    struct msg msg;
    if (sign_input_parse(&msg, version, scheme, (struct bytes){in, in_len}) != ERR_OK)
        return refuse(wait, "the handshake wants something signed that keyd does not sign");
    if (wait->epoch != signer->epoch) return refuse(wait, "the server key was replaced");
    if (signer->link.fd < 0) return refuse(wait, "there is no channel to keyd");
    struct sign_request *request =
        sign_requests_add(&signer->requests, wait, clock_monotonic_ms() + signer->deadline_ms);
    if (request == NULL) return refuse(wait, "too many signatures are pending");

    request->tls_version = version;
    request->scheme = scheme;
    request->server = wait->server;
    request->len = in_len;
    memcpy(request->input, in, in_len);
    wait->id = sign_request_id(&signer->requests, request);
    enum ssl_private_key_result_t result = send_or_queue(signer, request);
    if (result == ssl_private_key_failure) {
        /* The channel's end is reported by on_readable, to everybody who waits. */
        wait->id = 0;
        sign_requests_remove(&signer->requests, request);
        return refuse(wait, "the signing channel was lost");
    }
    timer_start(signer);
    return result;
}

static enum ssl_private_key_result_t method_complete(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    struct signer_wait *wait = SSL_get_ex_data(ssl, ssl_index());
    struct sign_request *request = sign_requests_find(&wait->signer->requests, wait->id);
    CHECK(request != NULL); /* it stays until it is completed or detached */
    if (request->state == REQUEST_QUEUED || request->state == REQUEST_SENT) return ssl_private_key_retry;
    enum ssl_private_key_result_t result = ssl_private_key_failure;
    if (request->state == REQUEST_SIGNED && request->len <= max_out) {
        memcpy(out, request->signature, request->len);
        *out_len = request->len;
        result = ssl_private_key_success;
    } else if (request->state == REQUEST_SIGNED) {
        wait->failure = "the signature is longer than the key of the certificate allows";
    }
    signer_detach(wait);
    return result;
}

const SSL_PRIVATE_KEY_METHOD *signer_method(void)
{
    /* No decrypt: RSA key exchange is not offered, and keyd decrypts for nobody. */
    static const SSL_PRIVATE_KEY_METHOD method = {.sign = method_sign, .decrypt = NULL, .complete = method_complete};
    return &method;
}

void signer_attach(struct signer *signer, struct signer_wait *wait, SSL *ssl)
{
    wait->signer = signer;
    wait->id = 0;
    wait->epoch = signer->epoch;
    wait->failure = NULL;
    CHECK(SSL_set_ex_data(ssl, ssl_index(), wait));
}

void signer_detach(struct signer_wait *wait)
{
    if (wait->id == 0) return;
    struct sign_request *request = sign_requests_find(&wait->signer->requests, wait->id);
    if (request != NULL) sign_requests_remove(&wait->signer->requests, request);
    wait->id = 0;
}
