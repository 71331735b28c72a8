/* A channel that speaks the protocol: packets in and out as messages, each checked against proto/rules.h. */
#ifndef KEYWARD_PROTO_LINK_H
#define KEYWARD_PROTO_LINK_H

#include "base/channel.h"
#include "proto/codec.h"
#include "proto/rules.h"

struct link {
    int fd;
    enum link_role role;
    enum link_end end;
};

/* link_send encodes and sends; descriptors stay the caller's. A kind that this end may not send fails a CHECK.
 * ERR_AGAIN, ERR_CLOSED, ERR_TOO_LARGE as channel_send. */
MUST_CHECK enum err link_send(const struct link *link, const struct msg *msg, const int *fds, size_t num_fds);

/* link_recv receives and decodes one message; out's spans live in arena. Descriptors in out_extra are the caller's, and
 * their number fits the message; after an error there are none.
 * ERR_AGAIN, ERR_CLOSED. ERR_MALFORMED, ERR_TOO_LARGE, ERR_DENIED: the sender broke the protocol and has to lose its
 * channel; out_extra->sender is set where the channel names senders, out->id where it could be read. */
MUST_CHECK enum err link_recv(const struct link *link, struct msg *out, struct packet_extra *out_extra,
                              struct codec_arena *arena);

/* link_call sends msg and waits for the answer with the same id, or for a REFUSAL with id 0, which is about the channel as a
 * whole: it may have been there before, and the other end gone. For start-up and command-line clients only.
 * ERR_TIMEOUT after timeout_ms. */
MUST_CHECK enum err link_call(const struct link *link, struct msg *out, struct packet_extra *out_extra,
                              struct codec_arena *arena, const struct msg *msg, const int *fds, size_t num_fds,
                              unsigned timeout_ms);

#endif
