/* The running broker's part of the audit log: what is recorded, when keyd signs, and what becomes of handles while the
 * log cannot be written. The lines are broker/audit_log.h's. */
#ifndef KEYWARD_BROKER_AUDIT_H
#define KEYWARD_BROKER_AUDIT_H

#include "broker/audit_log.h"
#include "broker/handles.h"

/* Whether handles are used while their uses cannot be recorded. */
enum audit_policy { AUDIT_REFUSE, AUDIT_CONTINUE };

#define AUDIT_VERSION "0.1.0"

/* Refusals of one handle for one reason: the first is recorded at once, those of the second after it together. */
struct audit_merge {
    uint64_t handle; /* 0: free */
    enum refusal reason;
    uint32_t pid; /* whose they are; 0: nobody knows */
    bool several; /* other processes' as well */
    uint64_t count;
    uint64_t due; /* on clock_monotonic_ms's scale, as all below */
};

/* A web worker's channel to keyd, and what was recorded of its counters. */
struct audit_server {
    uint64_t grant; /* 0: free */
    bool ended;     /* the next status is its last */
    char name[LIMIT_LABEL + 1];
    uint64_t signatures;
    uint64_t refusals;
};

enum audit_waits { AUDIT_WAITS_FOR_NOTHING, AUDIT_WAITS_FOR_STATUS, AUDIT_WAITS_FOR_HEAD };

/* Zero state: not open, and nothing is recorded. */
struct audit {
    bool open;
    bool closed; /* what happens now is not recorded any more */
    enum audit_policy policy;
    uint64_t interval_ms;
    struct audit_log log;
    /* Refusals that are counted together: */
    struct audit_merge merges[LIMIT_AUDIT_MERGES];
    uint64_t overflow;   /* those that found no place there */
    uint64_t merges_due; /* the first of them; 0: none waits */
    /* While the file does not take what there is: */
    bool blocked;
    uint64_t retry_at;
    uint64_t shout_at;
    /* keyd: */
    bool has_key;
    uint8_t fingerprint[AUDIT_HASH];
    struct audit_server servers[2 * LIMIT_WORKERS];
    uint64_t keyd_lost; /* events, as it told last */
    enum audit_waits waits;
    uint64_t head_at; /* when the servers' counters and the next head are asked for */
    uint64_t asked;   /* the number of the last record that keyd was asked to sign, and its hash */
    uint8_t asked_hash[AUDIT_HASH];
    uint64_t quiet;    /* the number of a head's record that left nothing uncovered: nothing new, if it is the last */
    uint64_t close_by; /* when the closing head is given up; 0: not closing */
    /* Whose user was looked up last, and when: */
    uint32_t uid_pid;
    uint64_t uid_and_1;
    uint64_t uid_ms;
};

struct broker;
struct process;
struct reload_asker;
struct keyd_event;
struct keyd_grant;
struct keyd_status;

/* ---- What happens, each one record (broker/audit.c) ---- */

/* audit_begin: the log is open in broker->audit.log; torn: the bytes that were taken from the file's end. */
void audit_begin(struct broker *broker, uint64_t torn);
void audit_started(struct broker *broker, const char *process, uint32_t pid);
void audit_ended(struct broker *broker, const char *process, uint32_t pid, const char *how);

/* audit_granted: the channel to keyd with that number is given to somebody, on these terms. control: the connection on which it was
 * asked for; -1: it is for one of our own processes. */
void audit_granted(struct broker *broker, uint64_t number, const struct keyd_grant *terms, int control);

/* audit_event: keyd tells of a channel, which the broker may have dropped meanwhile. */
void audit_event(struct broker *broker, const struct keyd_event *event);

/* audit_reloaded: the configuration was read again. why: it failed, and all is as it was; NULL: it is in force. */
void audit_reloaded(struct broker *broker, const struct reload_asker *asker, const char *changes, const char *why);

/* audit_handle records an end that the broker decides: AUDIT_REVOKED or AUDIT_EXPIRED. */
void audit_handle(struct broker *broker, enum audit_what what, uint64_t number, const char *why);

/* ---- keyd's part (broker/audit_keyd.c) ---- */

/* audit_keyd_is_there: it has sent its identity, which has the key of the heads from now on. audit_keyd_is_gone: it has ended, and its
 * counters with it. */
void audit_keyd_is_there(struct broker *broker, struct bytes public_key);
void audit_keyd_is_gone(struct broker *broker);

/* audit_server_ends: the grant's channel is about to be closed, and keyd is to tell its counters before. */
void audit_server_ends(struct broker *broker, uint64_t grant);

/* audit_status takes the counters of the servers' channels. */
void audit_status(struct broker *broker, const struct keyd_status *status);
void audit_head_signed(struct broker *broker, uint64_t number, struct bytes signature);

/* audit_close has the log closed with a signed head; false: that is under way, call again at audit_deadline. Does not wait for keyd
 * beyond DEADLINE_AUDIT_MS. After it nothing is recorded. why is for the record. */
bool audit_close(struct broker *broker, const char *why, uint64_t now);

/* ---- Time (broker/audit.c) ---- */

/* audit_step, at the end of each turn of the loop, writes what there is and does what is due. */
void audit_step(struct broker *broker, uint64_t now);
uint64_t audit_deadline(const struct audit *audit);

/* audit_finish writes the last of it, at the broker's end. */
void audit_finish(struct broker *broker);

/* audit_state fills in the answer to AUDIT_QUERY; the fingerprint is written to hex, which it points to. */
void audit_state(const struct audit *audit, struct audit_state *out, char hex[2 * AUDIT_HASH + 1]);

/* ---- Between broker/audit*.c ---- */

void audit_add(struct broker *broker, struct audit_record *record);
void audit_settle(struct broker *broker); /* records the refusals that are still being counted */
void audit_hold_again(struct broker *broker);
void audit_server_begins(struct broker *broker, const struct handle *handle);
void audit_server_ended(struct broker *broker, uint64_t grant, const struct keyd_event *event);
void audit_tick(struct broker *broker, uint64_t now);
void audit_ask_head(struct broker *broker);
void audit_close_unsigned(struct broker *broker);

#endif
