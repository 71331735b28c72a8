/* Applications that are elsewhere: the handshake of each connection to them, and the handle that it is signed with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tlsclient/explain.h"
#include "web/proxy/proxy_internal.h"

/* What an operator can do about keyd's refusals. */
static const char *remedy(enum refusal refusal)
{
    switch ((int)refusal) {
    case REFUSAL_EXPIRED:
    case REFUSAL_EXHAUSTED:
    case REFUSAL_REVOKED:
        return "the handle that 'broker handle list' showed is over; restart the broker for a new one";
    case REFUSAL_HELD: return "make room for the audit log; 'broker audit status' says more";
    case REFUSAL_SCHEME: return "have the application take the client key's scheme (P-256: ecdsa_secp256r1_sha256)";
    case REFUSAL_TRANSCRIPT: return "the application has to ask for a client certificate in a TLS 1.3 handshake";
    case REFUSAL_BUSY:
    case REFUSAL_INTERNAL: return "if it stays, see what the broker logs of keyd";
    default: return "see what the broker logs of the handle";
    }
}

static const struct tlsclient_words words = {.ca_option = "[proxy] ca", .remedy = remedy};

bool proxy_tls_is_awaited(const struct proxy *proxy, uint32_t route)
{
    return proxy->config.routes[route].tls && proxy->tls[route].state == PROXY_TLS_AWAITED;
}

bool proxy_tls_is_stale(const struct upstream *upstream)
{
    return upstream->tls != NULL && upstream->generation != upstream->proxy->tls[upstream->route].generation;
}

/* ---- Handshakes ---- */

static void leave_shaking(struct upstream *upstream)
{
    struct proxy_tls *tls = &upstream->proxy->tls[upstream->route];
    *(upstream->prev != NULL ? &upstream->prev->next : &tls->shaking) = upstream->next;
    if (upstream->next != NULL) upstream->next->prev = upstream->prev;
    upstream->prev = upstream->next = NULL;
    ev_timer_stop(upstream->proxy->loop, &upstream->timer);
}

/* The relays that wait go on waiting: there will be another handle. */
static void put_off(struct upstream *upstream)
{
    struct proxy *proxy = upstream->proxy;
    const uint64_t id = upstream->asked;
    leave_shaking(upstream);
    upstream_close(upstream);
    proxy_forget_ask(proxy, id);
}

static void fail(struct upstream *upstream, const char *why)
{
    struct proxy *proxy = upstream->proxy;
    const uint64_t id = upstream->asked;
    leave_shaking(upstream);
    upstream_close(upstream);
    proxy_no_tls(proxy, id, why);
}

static void watch_signer(struct proxy_tls *tls)
{
    struct ev_loop *loop = tls->proxy->loop;
    const int events = EV_READ | (tlsclient_signer_wants_write(tls->signer) ? EV_WRITE : 0);
    if (ev_is_active(&tls->io) && (tls->io.events & (EV_READ | EV_WRITE)) == events) return;
    ev_io_stop(loop, &tls->io);
    ev_io_set(&tls->io, tlsclient_signer_fd(tls->signer), events);
    ev_io_start(loop, &tls->io);
}

void proxy_tls_shake(struct upstream *upstream)
{
    struct diag why;
    enum tlsclient_wait wait;
    struct proxy_tls *tls = &upstream->proxy->tls[upstream->route];
    enum err err = tlsclient_handshake(upstream->tls, &wait);
    if (err == ERR_AGAIN) {
        upstream->awaits_keyd = wait == TLSCLIENT_WAITS_SIGNATURE;
        upstream_watch(upstream, upstream->awaits_keyd ? 0 : wait == TLSCLIENT_WAITS_WRITE ? EV_WRITE : EV_READ);
        if (upstream->awaits_keyd) watch_signer(tls);
        return;
    }
    const struct tlsclient_story *story = tlsclient_story(upstream->tls);
    if (err != ERR_OK && story->handle_error == ERR_CLOSED && story->refusal == REFUSAL_NONE) {
        tls->state = PROXY_TLS_AWAITED; /* keyd has ended: the broker starts another one */
        put_off(upstream);
    } else if (err != ERR_OK) {
        err = tlsclient_explain(story, &words, &why);
        (void)err;
        fail(upstream, why.text);
    } else {
        const uint64_t id = upstream->asked;
        leave_shaking(upstream);
        upstream->asked = 0;
        proxy_complete(upstream, id);
    }
}

static void on_signed(void *context)
{
    proxy_tls_shake(context);
}

void proxy_tls_late(struct upstream *upstream)
{
    char why[128];
    snprintf(why, sizeof(why), "%s within %u ms",
             upstream->awaits_keyd ? "keyd has not signed" : "the TLS handshake was not complete",
             upstream->proxy->config.deadlines.tls_ms);
    fail(upstream, why);
}

void proxy_tls_begin(struct upstream *upstream, uint64_t id)
{
    struct proxy *proxy = upstream->proxy;
    struct proxy_tls *tls = &proxy->tls[upstream->route];
    upstream->asked = id;
    upstream->generation = tls->generation;
    upstream->next = tls->shaking;
    if (tls->shaking != NULL) tls->shaking->prev = upstream;
    tls->shaking = upstream;
    if (tls->state == PROXY_TLS_AWAITED) {
        put_off(upstream);
        return;
    }
    if (tls->state == PROXY_TLS_DENIED) {
        fail(upstream, tls->why);
        return;
    }
    if (tlsclient_new(&upstream->tls, tls->server, tls->signer, upstream->fd, on_signed, upstream) != ERR_OK) {
        fail(upstream, "no memory");
        return;
    }
    ev_timer_set(&upstream->timer, proxy->config.deadlines.tls_ms / 1e3, 0);
    ev_timer_start(proxy->loop, &upstream->timer);
    proxy_tls_shake(upstream);
}

void proxy_tls_explain(const struct upstream *upstream, struct diag *diag)
{
    enum err err = tlsclient_explain(tlsclient_story(upstream->tls), &words, diag);
    (void)err;
}

/* ---- Handles ---- */

/* No connection is used longer than the handle it was made with, but for the request that it is carrying. */
static void retire(struct proxy_tls *tls, uint32_t route)
{
    tls->generation++;
    proxy_close_idle(tls->proxy, route);
}

static void drop_handle(struct proxy_tls *tls)
{
    ev_io_stop(tls->proxy->loop, &tls->io);
    tlsclient_signer_free(tls->signer);
    tlsclient_server_free(tls->server);
    tls->signer = NULL;
    tls->server = NULL;
}

static void deny(struct proxy_tls *tls, const char *why)
{
    tls->state = PROXY_TLS_DENIED;
    snprintf(tls->why, sizeof(tls->why), "%s", why);
}

static void on_signer(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct proxy_tls *tls = watcher->data;
    const uint32_t route = (uint32_t)(tls - tls->proxy->tls);
    if (tlsclient_signer_run(tls->signer) == ERR_AGAIN) {
        watch_signer(tls);
        return;
    }
    ev_io_stop(loop, watcher);
    retire(tls, route);
    if (tlsclient_signer_refusal(tls->signer) == REFUSAL_REVOKED)
        deny(tls, "the handle for this application was revoked; restart the broker for a new one");
    else if (tls->state == PROXY_TLS_READY)
        tls->state = PROXY_TLS_AWAITED;
    proxy_ask_for_all(tls->proxy); /* whoever waits is to hear of it */
}

void proxy_take_handle(struct proxy *proxy, uint32_t route, const struct tlsclient_config *config, int handle)
{
    struct diag why = {{0}};
    struct proxy_tls *tls = &proxy->tls[route];
    if (route >= proxy->config.num_routes || !proxy->config.routes[route].tls) {
        close(handle);
        return;
    }
    while (tls->shaking != NULL) put_off(tls->shaking);
    drop_handle(tls);
    retire(tls, route);
    enum err err = tlsclient_signer_new(&tls->signer, handle);
    if (err == ERR_OK) err = tlsclient_server_new(&tls->server, config, &why);
    if (err == ERR_OK) {
        tls->state = PROXY_TLS_READY;
        watch_signer(tls);
    } else {
        deny(tls, why.text[0] != '\0' ? why.text : err_name(err));
    }
    proxy_ask_for_all(proxy);
}

void proxy_deny(struct proxy *proxy, uint32_t route, const char *why)
{
    if (route >= proxy->config.num_routes || !proxy->config.routes[route].tls) return;
    retire(&proxy->tls[route], route);
    deny(&proxy->tls[route], why);
    proxy_ask_for_all(proxy);
}

void proxy_tls_init(struct proxy *proxy)
{
    for (uint32_t i = 0; i < LIMIT_PROXIES; i++) {
        struct proxy_tls *tls = &proxy->tls[i];
        tls->proxy = proxy;
        ev_init(&tls->io, on_signer);
        tls->io.data = tls;
    }
}

void proxy_tls_cleanup(struct proxy *proxy)
{
    for (uint32_t i = 0; i < LIMIT_PROXIES; i++) {
        struct proxy_tls *tls = &proxy->tls[i];
        while (tls->shaking != NULL) put_off(tls->shaking);
        drop_handle(tls);
    }
}
