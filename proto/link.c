#include "proto/link.h"

#include "base/check.h"
#include "base/clock.h"

/* A packet's buffer is written before it is read; filling 64 KiB with a pattern each time would cost more than all the
 * rest. */
#define PACKET_BUFFER __attribute__((uninitialized)) uint8_t

static enum link_end other_end(enum link_end end)
{
    return end == LINK_UPPER ? LINK_LOWER : LINK_UPPER;
}

/* A frame of its own, so that the signing channels' small packets do not touch 64 KiB of stack. */
__attribute__((noinline)) static enum err send_large(int fd, const struct msg *msg, const int *fds, size_t num_fds)
{
    PACKET_BUFFER packet[LIMIT_PACKET];
    size_t len = 0;
    enum err err = codec_encode(packet, &len, sizeof packet, msg);
    return err == ERR_OK ? channel_send(fd, packet, len, fds, num_fds) : err;
}

enum err link_send(const struct link *link, const struct msg *msg, const int *fds, size_t num_fds)
{
    enum link_end receiver = other_end(link->end);
    CHECK((unsigned)msg->kind < MSG_NUM_KINDS);
    CHECK((rules_accepted(link->role, receiver) & MSG_BIT(msg->kind)) != 0);
    CHECK(rules_fds_valid(msg, num_fds));

    PACKET_BUFFER packet[LIMIT_SIGN_PACKET];
    size_t len = 0;
    enum err err = codec_encode(packet, &len, sizeof packet, msg);
    if (err == ERR_OK) return channel_send(link->fd, packet, len, fds, num_fds);
    if (err == ERR_TOO_LARGE && rules_max_packet(link->role, receiver) > sizeof packet) {
        return send_large(link->fd, msg, fds, num_fds);
    }
    return err;
}

static enum err receive(const struct link *link, struct msg *out, struct packet_extra *out_extra,
                        struct codec_arena *arena, uint8_t *packet, size_t max_len)
{
    size_t len = 0;
    enum err err = channel_recv(link->fd, packet, &len, out_extra, max_len, rules_max_fds(link->role));
    if (err != ERR_OK) return err;
    err = codec_decode(arena, out, packet, len, rules_accepted(link->role, link->end));
    if (err == ERR_OK && !rules_fds_valid(out, out_extra->num_fds)) err = ERR_MALFORMED;
    if (err != ERR_OK) packet_extra_close(out_extra);
    return err;
}

__attribute__((noinline)) static enum err receive_small(const struct link *link, struct msg *out,
                                                        struct packet_extra *out_extra, struct codec_arena *arena)
{
    PACKET_BUFFER packet[LIMIT_SIGN_PACKET];
    return receive(link, out, out_extra, arena, packet, sizeof packet);
}

__attribute__((noinline)) static enum err receive_transcript(const struct link *link, struct msg *out,
                                                             struct packet_extra *out_extra, struct codec_arena *arena,
                                                             size_t max_len)
{
    PACKET_BUFFER packet[LIMIT_CLIENT_PACKET];
    return receive(link, out, out_extra, arena, packet, max_len);
}

__attribute__((noinline)) static enum err receive_large(const struct link *link, struct msg *out,
                                                        struct packet_extra *out_extra, struct codec_arena *arena)
{
    PACKET_BUFFER packet[LIMIT_PACKET];
    return receive(link, out, out_extra, arena, packet, sizeof packet);
}

enum err link_recv(const struct link *link, struct msg *out, struct packet_extra *out_extra, struct codec_arena *arena)
{
    out->kind = MSG_NONE;
    out->id = 0;
    *out_extra = (struct packet_extra){0};
    size_t max_len = rules_max_packet(link->role, link->end);
    if (max_len <= LIMIT_SIGN_PACKET) return receive_small(link, out, out_extra, arena);
    if (max_len <= LIMIT_CLIENT_PACKET) return receive_transcript(link, out, out_extra, arena, max_len);
    return receive_large(link, out, out_extra, arena);
}

/* Waits for one message until the deadline. */
static enum err receive_until(const struct link *link, struct msg *out, struct packet_extra *out_extra,
                              struct codec_arena *arena, uint64_t deadline_ms)
{
    for (;;) {
        enum err err = link_recv(link, out, out_extra, arena);
        if (err != ERR_AGAIN) return err;
        uint64_t now_ms = clock_monotonic_ms();
        if (now_ms >= deadline_ms) return ERR_TIMEOUT;
        err = channel_wait(link->fd, (unsigned)(deadline_ms - now_ms));
        if (err != ERR_OK) return err;
    }
}

enum err link_call(const struct link *link, struct msg *out, struct packet_extra *out_extra, struct codec_arena *arena,
                   const struct msg *msg, const int *fds, size_t num_fds, unsigned timeout_ms)
{
    uint64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    uint64_t id = msg->id;
    enum err err = link_send(link, msg, fds, num_fds);
    if (err != ERR_OK && err != ERR_CLOSED) return err;
    for (;;) {
        err = receive_until(link, out, out_extra, arena, deadline_ms);
        if (err != ERR_OK || out->id == id || (out->kind == MSG_REFUSAL && out->id == 0)) return err;
        packet_extra_close(out_extra); /* an answer to a question that was given up, or no answer at all */
    }
}
