/* The live signing channels: reads requests, has them answered, writes the answers.
 *
 * Nobody waits for anybody: a channel is read a few packets at a time, and one whose holder does not fetch its answers
 * is not read until it does. A packet that is not a message costs its sender the channel and nobody else anything. */
#ifndef KEYWARD_KEYD_CHANNEL_TABLE_H
#define KEYWARD_KEYD_CHANNEL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "keyd/keystores.h"
#include "proto/message.h"

struct ev_loop;
struct events;
struct channel_table;

/* Called whenever something was added to the events. */
typedef void (*channel_table_notify)(void *context);

/* NULL: no memory. The loop and the events outlive the table. */
struct channel_table *channel_table_new(struct ev_loop *loop, struct events *events, channel_table_notify notify,
                                        void *context);
void channel_table_free(struct channel_table *table);

/* channel_table_serve takes the keys of a setup; before the first grant, and whenever the server's are renewed. ERR_TOO_LARGE: those of
 * LIMIT_KEYD_SETUPS are in use, and these stay the caller's. channel_table_settle says of which setup they are in force: what clients
 * are told and the keys they use, and a server's grant that names none. */
MUST_CHECK enum err channel_table_serve(struct channel_table *table, uint64_t setup, struct keystore *keystore);
void channel_table_settle(struct channel_table *table, uint64_t setup);

/* channel_table_in_force returns them; NULL before the first. */
struct keystore *channel_table_in_force(const struct channel_table *table);

/* channel_table_newest returns those of the last setup, to which its further servers are added; NULL likewise. */
struct keystore *channel_table_newest(const struct channel_table *table);

/* channel_table_grant opens a channel on fd, which it takes in every case. If it cannot, the broker is told that the
 * channel is closed, and why: REFUSAL_PARAMETERS for a name that is taken, or a setup that is not there, REFUSAL_BUSY if there is no room,
 * REFUSAL_INTERNAL if the kernel would not. One that is derived from another is judged (grant_derive); the broker is told
 * that it is open, or closed and why: REFUSAL_PARAMETERS also if there is no such parent. */
void channel_table_grant(struct channel_table *table, const struct keyd_grant *terms, int fd);

/* channel_table_revoke closes the grant's channel at once, what it has asked unanswered, and those of all that were derived
 * from it, of which the broker is told. Of a revoked handle it hears, behind all that the handle was used for and before what
 * becomes of those below it, that it is closed, by REFUSAL_REVOKED; the holders too, if there is room for it in their
 * channels. Nothing happens if there is none. */
void channel_table_revoke(struct channel_table *table, uint64_t grant);

/* channel_table_hold says whether handles are refused for now (REFUSAL_HELD); servers' channels are not. */
void channel_table_hold(struct channel_table *table, bool held);

/* channel_table_status fills in the counts; the array of grants lives until the next call. */
void channel_table_status(struct channel_table *table, struct keyd_status *out);

#endif
