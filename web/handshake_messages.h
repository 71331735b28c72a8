/* The messages of one handshake, collected for keyd as they come and go: each with its header, one after the other. */
#ifndef KEYWARD_WEB_HANDSHAKE_MESSAGES_H
#define KEYWARD_WEB_HANDSHAKE_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Zero state: none yet. */
struct handshake_messages {
    uint8_t *data;
    size_t len;
    size_t room;
    bool ended;
};

/* handshake_messages_add appends a message. Beyond LIMIT_TRANSCRIPT, or without memory, collecting ends. */
void handshake_messages_add(struct handshake_messages *messages, struct bytes message);

/* handshake_messages_end frees them; what is added later is not kept. */
void handshake_messages_end(struct handshake_messages *messages);

#endif
