/* Server certificates beside the default one: handed to keyd with their keys, and to the workers; and what keyd says of them. */
#ifndef KEYWARD_BROKER_SERVERS_H
#define KEYWARD_BROKER_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "proto/message.h"

struct broker;
struct process;
struct setting;

/* Zero state: keyd has none. */
struct servers {
    uint64_t last_id; /* of the messages to keyd, one after the other; the last certificate's */
    size_t num_given; /* to keyd */
    size_t num;       /* of which keyd has told */
    struct certificate_info *infos[LIMIT_SERVER_CERTIFICATES];
};

/* servers_give_keyd sends keyd all that the setting has, behind its setup; out is what comes of it. servers_forget: that is nobody's
 * any more. */
void servers_give_keyd(struct servers *out, struct broker *broker, struct process *keyd, const struct setting *setting);
void servers_forget(struct servers *servers);

/* servers_are_asked says whether keyd's answer is about one of these. */
bool servers_are_asked(const struct servers *servers, const struct msg *msg);

/* servers_note_info keeps what keyd says of one. ERR_NOT_FOUND: it was not asked, or has said so before. ERR_MEMORY. */
MUST_CHECK enum err servers_note_info(struct servers *servers, const struct msg *msg);

/* servers_note_failed stops the broker because keyd cannot use one of those it has to start with; says whether that was what the
 * message is about. */
bool servers_note_failed(struct broker *broker, const struct process *process, const struct msg *msg);

/* servers_complete says whether keyd has told of all. */
bool servers_complete(const struct servers *servers);

/* servers_give_web sends a worker all that its setting has, before the WEB_IDENTITY that puts them in use. */
void servers_give_web(struct broker *broker, struct process *web);

/* servers_anchor returns what a client has to trust who wants the server of that name: the last certificate of its chain. Empty:
 * none of these is for it. */
struct bytes servers_anchor(const struct broker *broker, const char *name);

#endif
