#include "browser-shim/module/supply.h"

#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "browser-shim/module/token.h"
#include "proto/link.h"

/* The end of the channel, or nonsense on it, is for good: the number may be somebody else's later. */
static bool is_over;

/* False: nothing more is there. */
static bool take_one(int *newest, const struct link *link, struct codec_arena *arena)
{
    struct msg msg = {0};
    struct packet_extra extra = {0};
    enum err err = link_recv(link, &msg, &extra, arena);
    if (err == ERR_OK && msg.kind == MSG_SHIM_RENEW) {
        if (*newest >= 0) close(*newest);
        *newest = packet_extra_take(&extra, 0);
        return true;
    }
    packet_extra_close(&extra);
    is_over = err != ERR_AGAIN;
    return false;
}

int supply_take(void)
{
    const struct link link = {.fd = SUPPLY_FD, .role = LINK_BROKER_SHIM, .end = LINK_LOWER};
    struct pollfd pollfd = {.fd = SUPPLY_FD, .events = POLLIN};
    int newest = -1;
    if (is_over || poll(&pollfd, 1, 0) <= 0) return -1;
    if (!token_guard(SUPPLY_FD)) {
        is_over = true;
        return -1;
    }
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    if (arena == NULL) return -1; /* it is still there the next time */
    while (take_one(&newest, &link, arena)) {
    }
    codec_arena_free(arena);
    return newest;
}
