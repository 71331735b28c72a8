/* A channel: one end of an AF_UNIX SOCK_SEQPACKET socketpair. Holding its descriptor is the only proof of who one is.
 *
 * These calls never block and never raise SIGPIPE. They know nothing of what is in a packet. */
#ifndef KEYWARD_BASE_CHANNEL_H
#define KEYWARD_BASE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/limits.h"

/* What came with a packet. The receiver owns the descriptors. */
struct packet_extra {
    int fds[LIMIT_PACKET_FDS];
    size_t num_fds;
    bool has_sender; /* only where channel_want_sender was called */
    struct ucred sender;
};

/* channel_pair makes the two ends, close-on-exec and non-blocking. */
MUST_CHECK enum err channel_pair(int out_ends[2]);

/* channel_want_sender asks the kernel to name the sender of each packet (SO_PASSCRED, unix(7)). */
MUST_CHECK enum err channel_want_sender(int fd);

/* channel_send sends one packet with num_fds descriptors, which stay the caller's.
 * ERR_AGAIN: the other end's queue is full. ERR_CLOSED: it is gone. ERR_TOO_LARGE: over LIMIT_PACKET. */
MUST_CHECK enum err channel_send(int fd, const uint8_t *data, size_t len, const int *fds, size_t num_fds);

/* channel_recv receives one packet into buf. Received descriptors are close-on-exec.
 * ERR_AGAIN: nothing there. ERR_CLOSED: the other end is gone. ERR_TOO_LARGE: the packet is longer than buf_len;
 * ERR_MALFORMED: more than max_fds descriptors came; in both cases the packet is lost and its descriptors are closed.
 * An empty packet cannot be told from the end of the channel and counts as ERR_CLOSED. */
MUST_CHECK enum err channel_recv(int fd, uint8_t *buf, size_t *out_len, struct packet_extra *out_extra, size_t buf_len,
                                 size_t max_fds);

/* channel_wait blocks until fd is readable, the other end is gone, or the deadline passes (ERR_TIMEOUT). For start-up
 * and command-line clients only; a loop never calls it. */
MUST_CHECK enum err channel_wait(int fd, unsigned timeout_ms);

/* packet_extra_close closes all descriptors that are still in extra and forgets them. */
void packet_extra_close(struct packet_extra *extra);

/* packet_extra_take gives the i-th descriptor to the caller. */
int packet_extra_take(struct packet_extra *extra, size_t i);

#endif
