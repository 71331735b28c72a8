#include "browser-shim/gateway/gateway.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "browser-shim/gateway/gateway_internal.h"

/* Connections taken before others have their turn. */
#define ACCEPTED_AT_ONCE 16
#define PAUSE_S 0.1

const struct gateway_config gateway_config_usual = {
    .listener = -1,
    .max_connections = LIMIT_GATEWAY_CONNECTIONS,
    .handshake_ms = DEADLINE_HANDSHAKE_MS,
    .half_ms = DEADLINE_GATEWAY_HALF_MS,
    .linger_ms = DEADLINE_GATEWAY_LINGER_MS,
};

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

/* Who is there waits in the listener's queue until there is a key, and while there are too many. */
static void accept_or_not(struct gateway *gateway)
{
    const bool accepts =
        gateway->key != NULL && gateway->num_conns < gateway->config.max_connections && !ev_is_active(&gateway->pause);
    if (accepts)
        ev_io_start(gateway->loop, &gateway->acceptor);
    else
        ev_io_stop(gateway->loop, &gateway->acceptor);
}

void gateway_take_handle(struct gateway *gateway, int handle)
{
    key_release(gateway->next);
    gateway->next = key_new(gateway, handle);
}

void gateway_key_described(struct gateway *gateway, struct key *key)
{
    key_release(gateway->key);
    gateway->key = key;
    gateway->next = NULL;
    accept_or_not(gateway);
}

void gateway_key_failed(struct gateway *gateway, struct key *key, const char *why)
{
    log_error("new handle is of no use reason=%s", log_quote(why));
    gateway->next = NULL;
    key_release(key);
}

/* ---- Connections ------------------------------------------------------------------------------------------------- */

void gateway_note_end(struct gateway *gateway, struct conn *conn)
{
    *(conn->prev != NULL ? &conn->prev->next : &gateway->conns) = conn->next;
    if (conn->next != NULL) conn->next->prev = conn->prev;
    gateway->num_conns--;
    accept_or_not(gateway);
}

void gateway_log_failure(struct gateway *gateway, const char *why)
{
    uint64_t withheld;
    if (!log_rate_admit(&gateway->failures, &withheld, clock_monotonic_ms(), LIMIT_GATEWAY_LOG_PER_SECOND)) return;
    log_error("no connection to web reason=%s withheld=%llu", log_quote(why), (unsigned long long)withheld);
}

static void pause_end(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    accept_or_not(watcher->data);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct gateway *gateway = watcher->data;
    for (unsigned i = 0; i < ACCEPTED_AT_ONCE && ev_is_active(watcher); i++) {
        const int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_new(gateway, fd);
            accept_or_not(gateway);
            continue;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
        gateway_log_failure(gateway, strerror(errno));
        ev_timer_set(&gateway->pause, PAUSE_S, 0.);
        ev_timer_start(loop, &gateway->pause);
        accept_or_not(gateway);
    }
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------- */

enum err gateway_new(struct gateway **out, struct ev_loop *loop, const struct gateway_config *config)
{
    *out = NULL;
    struct gateway *gateway = calloc(1, sizeof *gateway);
    struct codec_arena *arena = codec_arena_new(LIMIT_SIGN_ARENA);
    if (gateway == NULL || arena == NULL) {
        codec_arena_free(arena);
        free(gateway);
        return ERR_MEMORY;
    }
    gateway->loop = loop;
    gateway->config = *config;
    gateway->arena = arena;
    snprintf(gateway->host, sizeof gateway->host, "%s", config->host);
    ev_io_init(&gateway->acceptor, on_connection, config->listener, EV_READ);
    ev_timer_init(&gateway->pause, pause_end, PAUSE_S, 0.);
    gateway->acceptor.data = gateway;
    gateway->pause.data = gateway;
    *out = gateway;
    return ERR_OK;
}

void gateway_free(struct gateway *gateway)
{
    if (gateway == NULL) return;
    while (gateway->conns != NULL) conn_free(gateway->conns);
    ev_timer_stop(gateway->loop, &gateway->pause);
    ev_io_stop(gateway->loop, &gateway->acceptor);
    key_release(gateway->next);
    key_release(gateway->key);
    codec_arena_free(gateway->arena);
    free(gateway);
}

unsigned gateway_connections(const struct gateway *gateway)
{
    return gateway->num_conns;
}
