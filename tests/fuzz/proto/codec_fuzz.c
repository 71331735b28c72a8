/* Any bytes as a packet. What decodes has to encode to the very same bytes: there is one form of each message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"

#define ALL_KINDS (MSG_BIT(MSG_NUM_KINDS) - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_arena *arena, *small;
    static uint8_t again[LIMIT_PACKET];
    if (arena == NULL) {
        arena = codec_arena_new(LIMIT_DECODE_ARENA);
        small = codec_arena_new(512);
        if (arena == NULL || small == NULL) abort();
    }
    struct msg msg;
    /* An arena that runs out somewhere in the middle. */
    enum err err = codec_decode(small, &msg, data, size, ALL_KINDS);
    if (err == ERR_DENIED || codec_decode(small, &msg, data, size, 0) == ERR_OK) abort();
    err = codec_decode(arena, &msg, data, size, ALL_KINDS);
    if (err != ERR_OK) return 0;
    size_t len = 0;
    if (codec_encode(again, &len, sizeof again, &msg) != ERR_OK) abort();
    if (len != size || memcmp(again, data, size) != 0) abort();
    if (codec_decode(arena, &msg, again, len, ~MSG_BIT(msg.kind)) != ERR_DENIED) abort();
    return 0;
}
