/* Server certificates beside the default one: handed to keyd with their keys, and to the workers; and what keyd says of them. */
#ifndef KEYWARD_BROKER_SERVERS_H
#define KEYWARD_BROKER_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/message.h"

struct broker;
struct process;

/* Zero state: keyd has none. */
struct servers {
    uint64_t last_id; /* of the messages to keyd, one after the other; the last certificate's */
    size_t num;       /* of which keyd has told */
    struct certificate_info *infos[LIMIT_SERVER_CERTIFICATES];
};

/* servers_give_keyd sends keyd all of them, behind its setup. servers_forget: that keyd is gone. */
void servers_give_keyd(struct broker *broker, struct process *keyd);
void servers_forget(struct servers *servers);

/* servers_note_info keeps what keyd says of one, and servers_note_failed stops the broker because keyd cannot use one; each says
 * whether that was what the message is about. */
bool servers_note_info(struct broker *broker, const struct msg *msg);
bool servers_note_failed(struct broker *broker, const struct process *process, const struct msg *msg);

/* servers_complete says whether keyd has told of all. */
bool servers_complete(const struct broker *broker);

/* servers_give_web sends a worker all of them, before the WEB_IDENTITY that puts them in use. */
void servers_give_web(struct broker *broker, struct process *web);

/* servers_anchor returns what a client has to trust who wants the server of that name: the last certificate of its chain. Empty:
 * none of these is for it. */
struct bytes servers_anchor(const struct broker *broker, const char *name);

#endif
