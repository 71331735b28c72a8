/* Between the files of the control socket's server; nobody else includes it. */
#ifndef KEYWARD_BROKER_CONTROL_INTERNAL_H
#define KEYWARD_BROKER_CONTROL_INTERNAL_H

#include "broker/broker.h"

/* control_reply sends an answer; one that does not read its answers is dropped. Descriptors stay the caller's. */
void control_reply(struct control_client *client, const struct msg *msg, const int *fds, size_t num_fds);
void control_reply_failed(struct control_client *client, uint64_t id, enum err err, const char *text);

/* ---- Handles: broker/control_handles.c ---- */

void control_mint(struct broker *broker, struct control_client *client, uint64_t id, const struct handle_mint *mint);

/* control_derive asks keyd for a handle derived from another. The client gets its answer when keyd has given its own. */
void control_derive(struct broker *broker, struct control_client *client, uint64_t id,
                    const struct handle_restrict *wanted);

void control_list(struct broker *broker, struct control_client *client, uint64_t id, uint64_t after);

#endif
