/* Reading the configuration again while the system runs (SIGHUP, broker reload): all or nothing.
 *
 * A loader opens the configuration and all that it names, as the broker did at its start (broker/loader.h). The broker reads that and
 * looks whether the change can be made at all. Then it builds the new generation beside the old one: keyd gets the server's key, new
 * workers get everything but the listening sockets. Only when keyd has taken it and every worker is ready do the new workers get
 * the sockets and the old ones are told to retire. Until then whatever fails costs the new generation and nothing else.
 * docs/adr/0025-a-reload-is-a-new-generation.md has the reasons. */
#ifndef KEYWARD_BROKER_RELOAD_H
#define KEYWARD_BROKER_RELOAD_H

#include "broker/control.h"
#include "broker/identity.h"
#include "broker/opener.h"
#include "broker/resources.h"
#include "broker/servers.h"
#include "proto/link.h"

struct broker;
struct process;

/* A configuration and what was opened for it. In one place of memory as long as it is used. */
struct setting {
    struct config config;
    struct resources resources;
    struct setting *next; /* the one that was in force before it */
};

enum reload_stage {
    RELOAD_NONE,
    RELOAD_LOADS,  /* the loader is at work */
    RELOAD_KEYS,   /* keyd looks at the server's key */
    RELOAD_STARTS, /* new workers do not accept yet */
    RELOAD_ENDS,   /* it is in force; old workers end connections of clients whose CA is out */
};

/* Who wants it. */
struct reload_asker {
    bool has_ticket; /* false: a signal, and the log alone has the answer */
    struct control_ticket ticket;
    uint32_t pid; /* 0: not known */
    uint32_t uid;
};

/* Zero state: none is under way. */
struct reload {
    enum reload_stage stage;
    struct reload_asker asker;
    bool again; /* a signal came meanwhile */
    struct reload_asker again_asker;
    uint64_t begun;
    uint64_t deadline; /* 0 without one */

    struct link loader; /* RELOAD_LOADS: its channel */
    struct opened *files;
    size_t num_files;

    struct setting *next;     /* until it is in force */
    struct identity identity; /* keyd's, with the new server key; not present: it stays as it was */
    uint64_t setup;           /* the id of the KEYD_SETUP */
    struct servers servers;   /* what keyd says of the further certificates behind it */
    char changes[LIMIT_AUDIT_TEXT + 1];

    uint64_t trust;              /* RELOAD_ENDS: the id of the question to old workers */
    bool waits[LIMIT_PROCESSES]; /* answers that are out, by the process's place */
    uint64_t connections;        /* that were ended */
};

/* reload_begin begins one; a ticket is answered when it is done. While one is under way, a signal has another begin behind it. */
void reload_begin(struct broker *broker, const struct reload_asker *asker);

/* reload_hear takes what the loader has sent. reload_poll returns the descriptor to wait for, -1: none. */
int reload_poll(const struct broker *broker);
void reload_hear(struct broker *broker);

/* What processes say to it, and their ends. Those that return whether say whether it was about this. */
bool reload_note_identity(struct broker *broker, const struct msg *msg);
bool reload_note_server(struct broker *broker, const struct msg *msg);
bool reload_note_failed(struct broker *broker, struct process *process, const struct msg *msg);
void reload_note_ready(struct broker *broker);
void reload_note_answer(struct broker *broker, const struct process *web, const struct msg *msg);
void reload_note_web_gone(struct broker *broker, struct process *web);
void reload_note_keyd_gone(struct broker *broker);

/* reload_expire gives up what was not done within DEADLINE_RELOAD_MS. */
void reload_expire(struct broker *broker, uint64_t now);

/* reload_stop: the broker is about to end. */
void reload_stop(struct broker *broker);

#endif
