/* What keyd is told of handshakes (EXPECT_CLIENT): sent at once, or kept while the channel is full. Part of the signer. */
#ifndef KEYWARD_WEB_EXPECT_QUEUE_H
#define KEYWARD_WEB_EXPECT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log_rate.h"
#include "proto/link.h"

/* In the id of every EXPECT_CLIENT, beside the connection's number, and in that of no request for a signature. What bears it
 * is a refusal, or says whose handle the client of that connection uses. */
#define EXPECT_QUEUE_ID (UINT64_C(1) << 63)

struct unsent;

/* Zero state: empty. */
struct expect_queue {
    struct unsent *first;
    size_t num; /* at most LIMIT_EXPECT_PENDING; what is more is given up, and logged */
    struct log_rate unbound;
};

/* expect_queue_send tells keyd the messages of the handshake of the connection with this number. ERR_AGAIN: they wait until expect_queue_flush. Another error is
 * the channel's end. */
MUST_CHECK enum err expect_queue_send(struct expect_queue *queue, const struct link *channel, uint64_t number,
                                      struct bytes messages);

/* expect_queue_flush sends what waits. ERR_AGAIN: there is more. */
MUST_CHECK enum err expect_queue_flush(struct expect_queue *queue, const struct link *channel);

/* expect_queue_refused notes keyd's answer to one of them in the log. */
void expect_queue_refused(struct expect_queue *queue, enum refusal refusal);

/* expect_queue_clear forgets what waits. */
void expect_queue_clear(struct expect_queue *queue);

#endif
