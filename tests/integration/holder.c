/* Stands where the browser would: the process that the handle is pinned to, with the handle at descriptor 3, and nothing
 * good in mind. Asks for signatures of digests of its own making, then stays. */
#include <string.h>
#include <unistd.h>

#include "proto/link.h"

enum { HANDLE_FD = 3, TIMEOUT_MS = 5000 };

/* 0: refused, as it has to be. */
static int ask(const struct link *handle, struct codec_arena *arena, uint8_t fill)
{
    struct msg request = {.kind = MSG_SIGN_BROWSER_DIGEST, .id = fill + 1u}, answer;
    struct packet_extra extra;
    request.sign_browser_digest = (struct sign_browser_digest){SCHEME_ECDSA_P256_SHA256, 32, {0}};
    memset(request.sign_browser_digest.digest, fill, 32);
    if (link_call(handle, &answer, &extra, arena, &request, NULL, 0, TIMEOUT_MS) != ERR_OK) return 1;
    return answer.kind != MSG_REFUSAL || answer.refusal != REFUSAL_UNEXPECTED;
}

int main(void)
{
    static const uint8_t fills[] = {0x00, 0x11, 0xff};
    const struct link handle = {.fd = HANDLE_FD, .role = LINK_SIGN_BROWSER, .end = LINK_LOWER};
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (arena == NULL) return 1;
    for (size_t i = 0; i < sizeof fills; i++) {
        if (ask(&handle, arena, fills[i]) != 0) return 1;
    }
    codec_arena_free(arena);
    pause();
    return 0;
}
