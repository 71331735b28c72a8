#include "browser-shim/module/token.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "proto/link.h"

struct token {
    struct link link;
    atomic_bool gone;
    atomic_bool retired;
    atomic_uint holders;
    struct token_description description;
    uint8_t leaf[LIMIT_CERTIFICATE];
    uint8_t issuer[LIMIT_CERTIFICATE];
    uint8_t server_ca[LIMIT_CERTIFICATE];

    pthread_mutex_t lock; /* guards what follows: one exchange at a time */
    struct codec_arena *arena;
    uint64_t last_id;
};

static bool socket_option_is(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

bool token_guard(int fd)
{
    if (!socket_option_is(fd, SO_DOMAIN, AF_UNIX) || !socket_option_is(fd, SO_TYPE, SOCK_SEQPACKET)) return false;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* Takes the lock, but not after the deadline. */
static bool lock_until(struct token *token, uint64_t deadline)
{
    struct timespec until;
    const uint64_t now = clock_monotonic_ms(), left = deadline > now ? deadline - now : 0;
    /* This one does not count while the machine sleeps. */
    if (clock_gettime(CLOCK_MONOTONIC, &until) != 0) return false;
    until.tv_sec += (time_t)(left / 1000);
    until.tv_nsec += (long)(left % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_mutex_clocklock(&token->lock, CLOCK_MONOTONIC, &until) == 0;
}

/* Sends request and waits for its answer, which must be of the wanted kind; its spans live as long as the lock is
 * held. An answer to an earlier request that came too late is passed over by its id. */
static enum err exchange_locked(struct token *token, struct msg *out, struct msg *request, enum msg_kind wanted,
                                uint64_t deadline)
{
    uint64_t now = clock_monotonic_ms();
    if (now >= deadline) return ERR_TIMEOUT;
    request->id = ++token->last_id;
    struct packet_extra extra = {0};
    enum err err = link_call(&token->link, out, &extra, token->arena, request, NULL, 0, (unsigned)(deadline - now));
    packet_extra_close(&extra);
    if (err == ERR_OK && out->kind == MSG_REFUSAL) return ERR_DENIED;
    if (err == ERR_OK && out->kind != wanted) err = ERR_MALFORMED;
    /* keyd does not send nonsense: an end that does is not to be asked again. */
    if (err == ERR_CLOSED || err == ERR_MALFORMED || err == ERR_TOO_LARGE) atomic_store(&token->gone, true);
    return err == ERR_AGAIN ? ERR_TIMEOUT : err;
}

static struct bytes keep(uint8_t room[LIMIT_CERTIFICATE], struct bytes certificate)
{
    memcpy(room, certificate.data, certificate.len);
    return (struct bytes){room, certificate.len};
}

/* A browser's handle is pinned before the browser runs. One that is nobody's yet is for the process that asks first, which is
 * ours then. */
static enum err ask_description(struct token *token, struct msg *answer)
{
    const uint64_t deadline = clock_monotonic_ms() + DEADLINE_MODULE_MS;
    struct msg request = {.kind = MSG_DESCRIBE_HANDLE}, pin = {.kind = MSG_PIN_HANDLE};
    enum err err = exchange_locked(token, answer, &request, MSG_HANDLE_DESCRIPTION, deadline);
    if (err != ERR_DENIED || answer->refusal != REFUSAL_NOT_PINNED) return err;
    err = exchange_locked(token, answer, &pin, MSG_HANDLE_PINNED, deadline);
    return err == ERR_OK ? exchange_locked(token, answer, &request, MSG_HANDLE_DESCRIPTION, deadline) : err;
}

static enum err describe(struct token *token)
{
    struct msg answer = {0};
    enum err err = ask_description(token, &answer);
    if (err != ERR_OK) return err;
    struct token_description *description = &token->description;
    size_t label_len = strnlen(answer.handle_description.label, LIMIT_LABEL);
    memcpy(description->label, answer.handle_description.label, label_len);
    description->leaf = keep(token->leaf, answer.handle_description.leaf);
    description->issuer = keep(token->issuer, answer.handle_description.issuer);
    description->server_ca = keep(token->server_ca, answer.handle_description.server_ca);
    return ERR_OK;
}

enum err token_open(struct token **out, int fd)
{
    *out = NULL;
    if (!token_guard(fd)) return ERR_NOT_FOUND;
    struct token *token = calloc(1, sizeof *token);
    if (token == NULL) return ERR_MEMORY;
    token->link = (struct link){.fd = fd, .role = LINK_SIGN_BROWSER, .end = LINK_LOWER};
    atomic_init(&token->holders, 1);
    pthread_mutex_init(&token->lock, NULL);
    token->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    enum err err = token->arena != NULL ? describe(token) : ERR_MEMORY;
    if (err == ERR_OK) {
        *out = token;
    } else {
        token_drop(token);
    }
    return err;
}

void token_hold(struct token *token)
{
    atomic_fetch_add(&token->holders, 1);
}

void token_drop(struct token *token)
{
    if (token == NULL || atomic_fetch_sub(&token->holders, 1) > 1) return;
    if (atomic_load(&token->retired)) close(token->link.fd);
    codec_arena_free(token->arena);
    pthread_mutex_destroy(&token->lock);
    free(token);
}

void token_retire(struct token *token)
{
    atomic_store(&token->retired, true);
}

const struct token_description *token_describe(const struct token *token)
{
    return &token->description;
}

bool token_is_present(struct token *token)
{
    if (atomic_load(&token->gone)) return false;
    struct pollfd pollfd = {.fd = token->link.fd, .events = POLLRDHUP};
    int ready = poll(&pollfd, 1, 0);
    if (ready > 0 && (pollfd.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) != 0) {
        atomic_store(&token->gone, true);
        return false;
    }
    return true;
}

static enum err take_signature(uint8_t *out, size_t out_len, uint16_t scheme, struct bytes signature)
{
    if (scheme == SCHEME_ECDSA_P256_SHA256 || scheme == SCHEME_ECDSA_P384_SHA384)
        return der_read_signature(out, out_len, signature);
    if (signature.len != out_len) return ERR_MALFORMED;
    memcpy(out, signature.data, signature.len);
    return ERR_OK;
}

enum err token_sign(struct token *token, uint8_t *out, size_t out_len, enum refusal *out_refusal,
                    const struct token_request *request)
{
    *out_refusal = REFUSAL_NONE;
    if (atomic_load(&token->gone)) return ERR_CLOSED;
    uint64_t deadline = clock_monotonic_ms() + DEADLINE_MODULE_MS;
    struct msg question = {.kind = MSG_SIGN_BROWSER_DIGEST};
    struct sign_browser_digest *wanted = &question.sign_browser_digest;
    CHECK(request->digest.len <= sizeof wanted->digest);
    wanted->scheme = request->scheme;
    wanted->digest_len = request->digest.len;
    memcpy(wanted->digest, request->digest.data, request->digest.len);
    if (!lock_until(token, deadline)) return ERR_TIMEOUT;
    struct msg answer = {0};
    enum err err = exchange_locked(token, &answer, &question, MSG_SIGNATURE, deadline);
    if (err == ERR_OK) err = take_signature(out, out_len, request->scheme, answer.signature);
    if (err == ERR_DENIED) *out_refusal = answer.refusal;
    pthread_mutex_unlock(&token->lock);
    return err;
}
