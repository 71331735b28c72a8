#include "web/handshake_messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

void handshake_messages_end(struct handshake_messages *messages)
{
    free(messages->data);
    *messages = (struct handshake_messages){.ended = true};
}

void handshake_messages_add(struct handshake_messages *messages, struct bytes message)
{
    enum { FIRST_ROOM = 4096 }; /* a usual handshake needs no more */
    if (messages->ended) return;
    if (message.len > LIMIT_TRANSCRIPT - messages->len) {
        handshake_messages_end(messages);
        return;
    }
    if (message.len > messages->room - messages->len) {
        const size_t room = messages->room == 0 && message.len <= FIRST_ROOM ? FIRST_ROOM : LIMIT_TRANSCRIPT;
        uint8_t *data = realloc(messages->data, room);
        if (data == NULL) {
            handshake_messages_end(messages);
            return;
        }
        messages->data = data;
        messages->room = room;
    }
    memcpy(messages->data + messages->len, message.data, message.len);
    messages->len += message.len;
}
