#include "web/expect_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* A handshake's messages that did not fit into the channel. */
struct unsent {
    struct unsent *next;
    uint64_t number;
    size_t len;
    uint8_t messages[];
};

static void drop_first(struct expect_queue *queue)
{
    struct unsent *first = queue->first;
    queue->first = first->next;
    queue->num--;
    free(first);
}

void expect_queue_clear(struct expect_queue *queue)
{
    while (queue->first != NULL) drop_first(queue);
}

static void log_unbound(struct expect_queue *queue, const char *reason)
{
    enum { LINES_PER_S = 2 };
    uint64_t withheld;
    if (!log_rate_admit(&queue->unbound, &withheld, clock_monotonic_ms(), LINES_PER_S)) return;
    log_warning("handshake not bound reason=%s effect='a browser cannot authenticate in it' withheld=%llu",
                log_quote(reason), (unsigned long long)withheld);
}

void expect_queue_refused(struct expect_queue *queue, enum refusal refusal)
{
    log_unbound(queue, refusal_text(refusal));
}

static enum err send_now(const struct link *channel, uint64_t number, struct bytes messages)
{
    const struct msg msg = {.kind = MSG_EXPECT_CLIENT, .id = EXPECT_QUEUE_ID | number, .expect_client = messages};
    return link_send(channel, &msg, NULL, 0);
}

enum err expect_queue_flush(struct expect_queue *queue, const struct link *channel)
{
    while (queue->first != NULL) {
        enum err err =
            send_now(channel, queue->first->number, (struct bytes){queue->first->messages, queue->first->len});
        if (err != ERR_OK) return err;
        drop_first(queue);
    }
    return ERR_OK;
}

static void keep(struct expect_queue *queue, uint64_t number, struct bytes messages)
{
    struct unsent *kept = queue->num < LIMIT_EXPECT_PENDING ? malloc(sizeof *kept + messages.len) : NULL;
    if (kept == NULL) {
        log_unbound(queue, "the channel to keyd is full");
        return;
    }
    kept->next = NULL;
    kept->number = number;
    kept->len = messages.len;
    memcpy(kept->messages, messages.data, messages.len);
    struct unsent **end = &queue->first;
    while (*end != NULL) end = &(*end)->next;
    *end = kept;
    queue->num++;
}

enum err expect_queue_send(struct expect_queue *queue, const struct link *channel, uint64_t number,
                           struct bytes messages)
{
    enum err err = queue->first != NULL ? ERR_AGAIN : send_now(channel, number, messages);
    if (err == ERR_AGAIN) keep(queue, number, messages);
    return err;
}
