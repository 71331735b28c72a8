/* One signing channel: a packet is read, answered by keyd/dispatch.h, and the answer written; and how a channel ends. For
 * keyd/channel.c and keyd/channel_table.c only: the table has the channels' places, their names and the order of the servers. */
#ifndef KEYWARD_KEYD_CHANNEL_H
#define KEYWARD_KEYD_CHANNEL_H

#include <ev.h>

#include "base/number_table.h"
#include "keyd/channel_table.h"
#include "keyd/dispatch.h"
#include "keyd/events.h"
#include "proto/link.h"

struct channel {
    struct channel_table *table;
    struct link link;
    struct grant grant; /* grant.id is 0: the slot is free */
    ev_io readable;     /* active unless an answer waits */
    ev_io writable;     /* active while an answer waits */
    struct answer answer;
    struct expectation_source *source; /* of a server's channel; otherwise NULL */
    struct keystores_row *keys;        /* likewise */
    struct channel *prev_server, *next_server;
    struct channel *next_free;
};

struct channel_table {
    struct ev_loop *loop;
    struct events *events;
    channel_table_notify notify;
    void *context;
    struct keystores keystores;
    bool held;
    struct expectations expectations;
    struct codec_arena *arena;
    struct codec_arena *servers_arena; /* for what is read while a client's request is still in the other one */
    uint64_t signatures;
    uint64_t refusals;
    struct channel *servers; /* the web workers' channels, linked */
    size_t num_servers;
    size_t num;                  /* channels */
    size_t num_slots;            /* slots that were ever in use; memory behind them was never touched */
    struct channel *first_free;  /* of them */
    struct number_table by_name; /* a grant's slot */
    struct grant_status status[LIMIT_SERVER_GRANTS];
    struct channel slots[LIMIT_GRANTS];
};

/* ---- keyd/channel.c ---- */

/* channel_listen begins to serve what comes on the link. */
void channel_listen(struct channel *channel);

/* channel_close ends it, and first those that were derived from it, of which the broker is told. Its place is free then. */
void channel_close(struct channel *channel);

/* ---- keyd/channel_table.c ---- */

/* channel_table_report tells the broker what became of a grant; sender may be NULL. */
void channel_table_report_event(struct channel_table *table, struct keyd_event *event, const struct ucred *sender);
void channel_table_report(struct channel_table *table, uint64_t grant, enum grant_event what, enum refusal reason,
                          const struct ucred *sender);

/* channel_table_find returns the channel of a grant; NULL: none. */
struct channel *channel_table_find(struct channel_table *table, uint64_t grant);

/* channel_table_give_back makes its place free. channel_table_remove_server takes it out of the servers, if it is one. */
void channel_table_give_back(struct channel *channel);
void channel_table_remove_server(struct channel *channel);

#endif
