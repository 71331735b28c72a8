/* Any bytes as what keyd answers: two octets of length, that many octets as the answer to DESCRIBE_HANDLE, and the rest
 * as the answer to SIGN_BROWSER_DIGEST. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "browser-shim/module/objects.h"
#include "proto/message.h"

/* False: there is nothing more to be said. */
static int answer(int fd, const uint8_t *data, size_t size)
{
    if (size > 0 && send(fd, data, size, MSG_DONTWAIT) != (ssize_t)size) abort();
    return size > 0;
}

static void look_at_objects(const struct token_description *description)
{
    struct objects objects;
    uint8_t room[LIMIT_CERTIFICATE];
    if (objects_init(&objects, description, 1) != ERR_OK) return;
    for (ck_object_handle_t handle = 1; objects_exist(&objects, handle); handle++) {
        for (size_t i = 0; i < objects.items[handle - 1].num_attributes; i++) {
            struct ck_attribute attribute = {objects.items[handle - 1].attributes[i].type, room, sizeof room};
            if (objects_get(&objects, handle, &attribute, 1) != CKR_OK) abort();
            if (!objects_match(&objects, handle, &attribute, 1)) abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    if (size < 2) return 0;
    size_t first = (size_t)data[0] << 8 | data[1];
    if (first > size - 2) first = size - 2;
    if (size > 65536 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return 0;
    /* The end of the channel comes right after, so that nothing waits for what does not come. */
    if (answer(ends[0], data + 2, first)) answer(ends[0], data + 2 + first, size - 2 - first);
    if (shutdown(ends[0], SHUT_WR) != 0) abort();

    struct token *token = NULL;
    uint8_t signature[64];
    static const uint8_t digest[32];
    const struct token_request request = {.scheme = SCHEME_ECDSA_P256_SHA256, .digest = {digest, sizeof digest}};
    if (token_open(&token, ends[1]) == ERR_OK) {
        look_at_objects(token_describe(token));
        enum refusal refusal;
        (void)!token_sign(token, signature, sizeof signature, &refusal, &request);
    }
    token_drop(token);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
