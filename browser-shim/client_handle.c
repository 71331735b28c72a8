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

enum err client_handle_ask(struct client_handle *out, const char *runtime_dir, const struct client_handle_wish *wish,
                           struct diag *diag)
{
    *out = (struct client_handle){.fd = -1};
    char usual[LIMIT_PATH];
    if (runtime_dir == NULL) {
        enum err err = runtime_default_dir(usual, sizeof usual, diag);
        if (err != ERR_OK) return err;
        runtime_dir = usual;
    }
    out->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (out->arena == NULL) return diag_set(diag, ERR_MEMORY, "no memory");

    AUTO_FD control = -1;
    enum err err = runtime_connect(&control, runtime_dir, diag);
    if (err != ERR_OK) return err;
    const struct link broker = {.fd = control, .role = LINK_CONTROL, .end = LINK_LOWER};
    const struct msg request = question(wish);
    struct msg answer;
    struct packet_extra extra;
    err = link_call(&broker, &answer, &extra, out->arena, &request, NULL, 0, DEADLINE_CONTROL_MS);
    if (err == ERR_OK) return take_answer(out, &answer, &extra, wish->ca, diag);
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

void client_handle_cleanup(struct client_handle *handle)
{
    if (handle->fd >= 0) close(handle->fd);
    handle->fd = -1;
    codec_arena_free(handle->arena);
    handle->arena = NULL;
}
