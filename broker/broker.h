/* The running broker: its state, shared by the files that supervise, connect and report. One thread, one loop. */
#ifndef KEYWARD_BROKER_BROKER_H
#define KEYWARD_BROKER_BROKER_H

#include "base/log_rate.h"
#include "broker/access_log.h"
#include "broker/audit.h"
#include "broker/config.h"
#include "broker/connect.h"
#include "broker/control.h"
#include "broker/explain.h"
#include "broker/handles.h"
#include "broker/identity.h"
#include "broker/life.h"
#include "broker/monitor_listener.h"
#include "broker/procfs.h"
#include "broker/reload.h"
#include "broker/resources.h"
#include "broker/revocation.h"
#include "broker/runtime_dir.h"
#include "broker/servers.h"
#include "broker/spawner.h"
#include "broker/tickets.h"
#include "broker/topology.h"
#include "broker/watchdog.h"
#include "proto/link.h"

/* Slots of web's listeners. */
enum { SLOT_HOST, SLOT_BROWSER, SLOT_ECHO, SLOT_METRICS, SLOT_STREAM /* and as many as there are streams */ };
_Static_assert(SLOT_STREAM + LIMIT_STREAMS <= LIMIT_LISTENERS, "every listener has a slot");

struct process {
    const struct topology *row;
    uint32_t instance;
    char name[LIMIT_LABEL + 1];
    struct life life;
    struct link link;    /* fd -1: no channel */
    int pidfd;           /* -1: not known yet, or reaped */
    uint32_t pid;        /* 0 as well */
    uint64_t order;      /* the id of the SPAWN it comes from */
    bool owes_pong;      /* to the watchdog */
    bool kill_when_born; /* it was given up before its pid was known */
    bool failed;         /* it said FAILED: */
    enum err failed_error;
    char failed_text[LIMIT_TEXT + 1];
    /* A web worker: */
    uint64_t grant;  /* its channel to keyd; 0: none */
    bool introduced; /* it has an identity and the listeners */
    bool asked;      /* STATUS_QUERY is out; keyd as well */
    struct web_status counters;
    uint64_t browser_requests; /* as its last PONG said */
    bool metrics_wanted;       /* METRICS_QUERY is in */
    struct setting
        *setting; /* NULL: the one in force; otherwise it is not yet at work, or not any more, and has no listeners */
    uint64_t retire_by;                /* when one that was told to retire is given up; 0: it was not */
    bool retired;                      /* it is gone for good, and its place free */
    uint64_t upstreams[LIMIT_PROXIES]; /* its handles for applications elsewhere; 0: none */
};

/* The browser inside the shim. */
struct browser {
    struct life life;
    uint64_t handle;
    uint64_t former;      /* the one before, until it is given back; 0: none */
    uint32_t pid;         /* that the first one was pinned to; 0: not yet */
    uint64_t supplied_by; /* the workers get keyd's new keys when the browser has its own, or then; 0: now */
    uint64_t heard_at;    /* when the watchdog last saw that it had made a request */
    bool pictured;        /* the screenshot is complete: it need not come back */
};

struct broker {
    struct setting *setting;     /* in force; behind it those before it that workers still have */
    const struct config *config; /* its, as the next */
    struct resources *resources;
    struct setting *first_setting;
    uint32_t cpus;
    int argc;
    char **argv;
    bool may_connect; /* what the sandbox has left it: connections to applications, and to which TCP ports */
    uint16_t ports[LIMIT_PROXIES + LIMIT_STREAMS];
    size_t num_ports;
    struct runtime_dir *runtime_dir;
    struct spawner spawner;
    int signals;
    uint64_t begun; /* when main began */
    uint32_t log_style;
    uint64_t host_cookie;
    int landlock_abi;
    struct procfs procfs;
    struct codec_arena *arena;

    struct process processes[LIMIT_PROCESSES]; /* keyd, the web workers, the shim */
    size_t num_processes;
    struct handles handles;
    size_t max_handles; /* for which keyd has descriptors */
    struct log_rate handle_log;
    struct audit audit;
    struct identity identity;
    struct servers servers;
    struct revocations revocations;
    struct reload reload;
    struct explain explain;
    struct access_log_file access_log;
    struct tickets tickets;
    bool client_revoked; /* the client certificate that an operator brought: no handle is given out any more */
    bool upstream_revoked[LIMIT_PROXIES]; /* an application's handle: no worker gets another from this keyd */
    bool expecting;                       /* as the workers were told last */
    uint64_t renew_at;                    /* when keyd is to make new keys; 0: never */
    const char *renew_why;                /* NULL: they are two thirds through their life */
    int page_listener;                    /* from the browser's namespace; -1: none */
    struct monitor_listener monitor;
    struct browser browser;
    struct control control;
    struct connects connects; /* to applications, for the web workers */
    uint64_t last_id;         /* of a request */
    struct watchdog watchdog;

    struct keyd_status keyd_counters;
    struct web_status retired; /* of web workers that are gone */
    uint64_t retired_signatures;
    uint64_t retired_refusals;
    uint64_t retired_events_lost;
    uint64_t handle_refusals[REFUSAL_NUM]; /* by reason */

    bool ready;
    uint32_t ready_ms;
    bool stopping;
    uint64_t stop_by;
    enum err outcome; /* why it stops */
    bool finished;
};

/* ---- processes: broker/process.c ---- */

void process_init(struct process *process, enum program program, uint32_t instance);

/* process_start has the spawner start it, and tells it what it is to do. */
void process_start(struct broker *broker, struct process *process);

bool process_is_up(const struct process *process);

/* process_send sends; a process that does not take its messages is given up. Descriptors stay the caller's. */
void process_send(struct broker *broker, struct process *process, const struct msg *msg, const int *fds,
                  size_t num_fds);

/* process_give_up kills it; it will be replaced. why is for the log. */
void process_give_up(struct broker *broker, struct process *process, const char *why);
void process_kill(struct broker *broker, struct process *process);

/* process_tell_spawner sends; if the spawner does not take it, the broker ends. */
void process_tell_spawner(struct broker *broker, const struct msg *msg);

/* process_hear takes up to max of the messages that are there. At one turn of the loop a few, so that nobody can keep the
 * broker from the others by talking; of one that has ended, all that its channel can hold. */
enum { PROCESS_AT_ONCE = 16, PROCESS_LAST_WORDS = 1024 };
void process_hear(struct broker *broker, struct process *process, unsigned max);

/* process_note_dead says that its pidfd tells its end: nothing is sent to it any more. The cause comes from the spawner. */
void process_note_dead(struct process *process);
void process_ready(struct broker *broker, struct process *process);

/* process_answer_spawner takes one message from the spawner. */
void process_answer_spawner(struct broker *broker);

struct process *broker_keyd(struct broker *broker);
struct process *broker_shim(struct broker *broker); /* NULL: without a browser */

/* ---- keyd: broker/keyd_link.c ---- */

void keyd_begin(struct broker *broker, struct process *keyd);

/* keyd_set_up sends KEYD_SETUP with what this configuration says, under this id. */
void keyd_set_up(struct broker *broker, struct process *keyd, uint64_t id, const struct config *config,
                 const struct resources *resources);

/* keyd_is_for_the_browser says whether the server's certificate is for the name under which the browser opens the page. */
bool keyd_is_for_the_browser(const struct keyd_identity *identity);
void keyd_answer(struct broker *broker, struct process *keyd, const struct msg *msg);
void keyd_ended(struct broker *broker);

/* keyd_server_ca returns what a client has to trust: what the certificate of the server of that name leads to, the default
 * one's if there is none. The identity is present. */
struct bytes keyd_server_ca(const struct broker *broker, const char *server);

/* keyd_grant makes a channel to keyd on these terms, whose number it chooses. out_end is the holder's end, the caller's to
 * close. ERR_AGAIN: keyd is not there now. ERR_DENIED: the client certificate is revoked. ERR_TOO_LARGE: too many. */
MUST_CHECK enum err keyd_grant(struct broker *broker, uint64_t *out_handle, int *out_end,
                               const struct keyd_grant *terms);
void keyd_revoke(struct broker *broker, uint64_t handle);

/* ---- web: broker/web_link.c ---- */

void web_begin(struct broker *broker, struct process *web);
void web_answer(struct broker *broker, struct process *web, const struct msg *msg);
void web_ended(struct broker *broker, struct process *web);

/* web_identify gives the worker the certificates and a channel to keyd; the first time the listeners too. */
void web_identify(struct broker *broker, struct process *web);
void web_identify_all(struct broker *broker);

/* web_expect has the workers tell keyd of their handshakes as long as somebody holds a handle. Called whenever a handle comes
 * or goes; and before a new one's descriptor is given away. */
void web_expect(struct broker *broker);

/* web_trust tells the worker whose clients are to be let in from here on, by the files in force; it answers under this id.
 * ERR_AGAIN: it has no identity now. ERR_SYSTEM: the files cannot be copied. */
MUST_CHECK enum err web_trust(struct broker *broker, struct process *web, uint64_t id);

/* web_counters adds up the counters of all workers, those that are gone included. */
void web_counters(struct web_status *out, const struct broker *broker);

/* web_config and web_resources return those that the worker is set up with. */
const struct config *web_config(const struct broker *broker, const struct process *web);
const struct resources *web_resources(const struct broker *broker, const struct process *web);

/* web_offer_all gives a worker all listeners there are. web_offer gives every worker the listener of one slot. */
void web_offer_all(struct broker *broker, struct process *web);
void web_offer(struct broker *broker, uint32_t slot);

/* web_connects hands over the connections to applications that have come about, or says why one did not. */
void web_connects(struct broker *broker);

/* ---- applications elsewhere: broker/web_upstream.c ---- */

/* web_lend gives the worker a handle for each application that is elsewhere, or tells it why there is none. */
void web_lend(struct broker *broker, struct process *web);

/* web_lent returns how many such handles are out. No client of our own server holds them. */
size_t web_lent(const struct broker *broker);

/* web_not_lent: keyd has closed the grant for that reason; tells the worker, if one has it. */
void web_not_lent(struct broker *broker, uint64_t grant, enum refusal reason);

/* web_forget_lent forgets the grant, if a worker has it; 0: all of them. */
void web_forget_lent(struct broker *broker, uint64_t grant);

/* web_take_back revokes the worker's: it is gone. */
void web_take_back(struct broker *broker, struct process *web);

/* web_of_lent returns the worker that has the grant, NULL: none has. */
struct process *web_of_lent(struct broker *broker, uint64_t grant);

/* ---- the shim: broker/shim_link.c ---- */

void shim_begin(struct broker *broker, struct process *shim);
void shim_answer(struct broker *broker, struct process *shim, const struct msg *msg, struct packet_extra *extra);
void shim_ended(struct broker *broker);

/* shim_launch starts the browser, or starts it afresh, with a new handle; does nothing unless all it needs is there. */
void shim_launch(struct broker *broker);

/* shim_renew gives the browser that runs a new handle, and it goes on with that. ERR_NOT_FOUND: none is running. ERR_AGAIN,
 * ERR_DENIED, ERR_TOO_LARGE as keyd_grant. */
MUST_CHECK enum err shim_renew(struct broker *broker);

/* shim_supply is for when keyd has new keys: shim_renew, or shim_launch where nothing runs. Before a worker shows a
 * certificate of the new CA, the browser has to be able to know that CA: web_identify waits meanwhile. */
void shim_supply(struct broker *broker);

/* shim_restart starts a browser afresh that does not do its work, with back-off. why is for the log. */
void shim_restart(struct broker *broker, const char *why);

/* shim_supplied ends that wait. */
void shim_supplied(struct broker *broker);

/* ---- the whole: broker/supervise.c ---- */

/* broker_stop begins to stop everything. outcome: why, ERR_OK if somebody asked for it. */
void broker_stop(struct broker *broker, enum err outcome);
void broker_check_ready(struct broker *broker);

#endif
