#include "browser-shim/client_handle.h"

#include <unistd.h>

#include "base/auto.h"
#include "base/runtime.h"
#include "proto/link.h"

/* As weak as it can be: one handshake needs one signature, now, by this process. */
enum { LIFETIME_S = DEADLINE_HANDSHAKE_MS / 1000 + 5, MAX_SIGNATURES = 1, RATE = 1 };

static enum err take_answer(struct client_handle *out, const struct msg *answer, struct packet_extra *extra,
                            struct bytes ca, struct diag *diag)
{
    if (answer->kind == MSG_FAILED) {
        return diag_set(diag, (enum err)answer->failed.error, "the broker gives no handle: %s", answer->failed.text);
    }
    if (answer->kind != MSG_HANDLE_MINTED) {
        packet_extra_close(extra);
        return diag_set(diag, ERR_MALFORMED, "the broker answered a request for a handle with %s",
                        msg_kind_name(answer->kind));
    }
    out->fd = packet_extra_take(extra, 0);
    out->id = answer->handle_minted.handle;
    out->certificate = answer->handle_minted.client;
    out->foreign = ca.len > 0;
    out->ca = out->foreign ? ca : answer->handle_minted.ca;
    return ERR_OK;
}

/* A derived handle ends with the one it comes from, if it is not closed before. */
static struct msg question(const struct client_handle_wish *wish)
{
    if (wish->from != 0) {
        return (struct msg){
            .kind = MSG_HANDLE_RESTRICT,
            .id = 1,
            .handle_restrict = {.parent = wish->from,
                                .label = wish->label,
                                .max_signatures = MAX_SIGNATURES,
                                .server = wish->server,
                                .pinned = true},
        };
    }
    return (struct msg){
        .kind = MSG_HANDLE_MINT,
        .id = 1,
        .handle_mint = {.label = wish->label,
                        .lifetime_s = LIFETIME_S,
                        .max_signatures = MAX_SIGNATURES,
                        .server = wish->server,
                        .rate = RATE,
                        .pinned = true,
                        .ca = wish->ca},
    };
}

/* Asks the broker in runtime_dir (NULL: the usual one) and has its answer, whose spans live in arena. */
static enum err ask(struct msg *out, struct packet_extra *extra, struct codec_arena *arena, const char *runtime_dir,
                    const struct msg *request, struct diag *diag)
{
    char usual[LIMIT_PATH];
    enum err err = ERR_OK;
    if (runtime_dir == NULL) {
        err = runtime_default_dir(usual, sizeof usual, diag);
        runtime_dir = usual;
    }
    if (err == ERR_OK && arena == NULL) err = diag_set(diag, ERR_MEMORY, "no memory");
    AUTO_FD control = -1;
    if (err == ERR_OK) err = runtime_connect(&control, runtime_dir, diag);
    if (err != ERR_OK) return err;
    const struct link broker = {.fd = control, .role = LINK_CONTROL, .end = LINK_LOWER};
    err = link_call(&broker, out, extra, arena, request, NULL, 0, DEADLINE_CONTROL_MS);
    if (err == ERR_OK) return ERR_OK;
    if (err == ERR_TIMEOUT) {
        return diag_set(diag, err, "the broker in '%s' did not answer within %u ms; see what it logs", runtime_dir,
                        DEADLINE_CONTROL_MS);
    }
    if (err == ERR_CLOSED) {
        return diag_set(diag, err, "the broker in '%s' hung up; it serves root and the user who started it",
                        runtime_dir);
    }
    return diag_set(diag, err, "the broker in '%s' cannot be understood: %s; are both of one version?", runtime_dir,
                    err_name(err));
}

static enum err ask_for_handle(struct client_handle *out, const char *runtime_dir, const struct msg *request,
                               struct bytes ca, struct diag *diag)
{
    struct msg answer;
    struct packet_extra extra;
    *out = (struct client_handle){.fd = -1, .arena = codec_arena_new(LIMIT_DECODE_ARENA)};
    enum err err = ask(&answer, &extra, out->arena, runtime_dir, request, diag);
    return err == ERR_OK ? take_answer(out, &answer, &extra, ca, diag) : err;
}

enum err client_handle_ask(struct client_handle *out, const char *runtime_dir, const struct client_handle_wish *wish,
                           struct diag *diag)
{
    const struct msg request = question(wish);
    return ask_for_handle(out, runtime_dir, &request, wish->ca, diag);
}

enum err client_handle_ask_for_program(struct client_handle *out, const char *runtime_dir,
                                       const struct client_program_wish *wish, struct diag *diag)
{
    const struct msg request = {
        .kind = MSG_HANDLE_MINT,
        .id = 1,
        .handle_mint = {.label = wish->label,
                        .lifetime_s = wish->lifetime_s,
                        .max_signatures = wish->max_signatures,
                        .server = "",
                        .digests = true},
    };
    return ask_for_handle(out, runtime_dir, &request, (struct bytes){NULL, 0}, diag);
}

enum err client_handle_revoke(const char *runtime_dir, uint64_t id, struct diag *diag)
{
    const struct msg request = {.kind = MSG_HANDLE_REVOKE, .id = 1, .handle_revoke = id};
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    struct msg answer;
    struct packet_extra extra;
    enum err err = ask(&answer, &extra, arena, runtime_dir, &request, diag);
    if (err == ERR_OK) packet_extra_close(&extra);
    const bool has_ended = err == ERR_OK && answer.kind == MSG_FAILED && answer.failed.error == ERR_NOT_FOUND;
    if (err == ERR_OK && answer.kind == MSG_FAILED && !has_ended)
        err = diag_set(diag, (enum err)answer.failed.error, "handle %llu was not revoked: %s", (unsigned long long)id,
                       answer.failed.text);
    codec_arena_free(arena);
    return err;
}

void client_handle_cleanup(struct client_handle *handle)
{
    if (handle->fd >= 0) close(handle->fd);
    handle->fd = -1;
    codec_arena_free(handle->arena);
    handle->arena = NULL;
}
