#include "browser-shim/pin.h"

#include "proto/link.h"

enum err pin_handle(int handle_fd, const char *whom, struct diag *diag)
{
    const struct link handle = {.fd = handle_fd, .role = LINK_SIGN_BROWSER, .end = LINK_LOWER};
    const struct msg request = {.kind = MSG_PIN_HANDLE, .id = 1};
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (arena == NULL) return diag_set(diag, ERR_MEMORY, "handle: no memory to pin it");
    struct msg answer = {0};
    struct packet_extra extra = {0};
    enum err err = link_call(&handle, &answer, &extra, arena, &request, NULL, 0, DEADLINE_MODULE_MS);
    if (err != ERR_OK) {
        err = diag_set(diag, err, "handle: cannot be pinned to %s: %s", whom, err_name(err));
    } else if (answer.kind == MSG_REFUSAL) {
        err = diag_set(diag, ERR_DENIED, "handle: cannot be pinned to %s: %s", whom, refusal_text(answer.refusal));
    } else if (answer.kind != MSG_HANDLE_PINNED) {
        err = diag_set(diag, ERR_MALFORMED, "handle: pinning was answered with %s", msg_kind_name(answer.kind));
    }
    codec_arena_free(arena);
    return err;
}
