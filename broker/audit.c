/* What is recorded, and when it is written. */
#include "broker/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

#define RETRY_MS 1000
#define SHOUT_MS 60000
#define MERGE_MS 1000
#define UID_MS 1000

static const char *const policy_names[] = {[AUDIT_REFUSE] = "refuse", [AUDIT_CONTINUE] = "continue"};

#define TEXT(member, words) audit_record_text(member, sizeof(member), words)

void audit_add(struct broker *broker, struct audit_record *record)
{
    struct audit *audit = &broker->audit;
    if (audit->open && !audit->closed) audit_log_add(&audit->log, record, clock_wall_ms());
}

void audit_begin(struct broker *broker, uint64_t torn)
{
    struct audit_record start = {.what = AUDIT_START}, cut = {.what = AUDIT_TORN, .count = torn};
    TEXT(start.text, AUDIT_VERSION);
    TEXT(start.policy, policy_names[broker->audit.policy]);
    broker->audit.open = true;
    broker->audit.head_at = clock_monotonic_ms() + broker->audit.interval_ms;
    audit_add(broker, &start);
    if (torn > 0) audit_add(broker, &cut);
}

void audit_started(struct broker *broker, const char *process, uint32_t pid)
{
    struct audit_record record = {.what = AUDIT_STARTED, .pid = pid};
    TEXT(record.process, process);
    audit_add(broker, &record);
}

void audit_ended(struct broker *broker, const char *process, uint32_t pid, const char *how)
{
    struct audit_record record = {.what = AUDIT_ENDED, .pid = pid};
    TEXT(record.process, process);
    TEXT(record.text, how);
    audit_add(broker, &record);
}

void audit_reloaded(struct broker *broker, const struct reload_asker *asker, const char *changes, const char *why)
{
    struct audit_record record = {.what = AUDIT_RELOAD, .pid = asker->pid};
    if (asker->pid != 0) record.uid_and_1 = asker->uid + UINT64_C(1);
    TEXT(record.process, asker->has_ticket ? "control" : "SIGHUP");
    TEXT(record.text, changes);
    if (why) TEXT(record.reason, why);
    audit_add(broker, &record);
}

/* ---- Handles ---------------------------------------------------------------------------------------------------- */

static const char *key_of(enum purpose purpose)
{
    return purpose == PURPOSE_TLS_SERVER ? "server" : "client";
}

static void describe(struct audit_record *record, const struct handle *handle)
{
    record->handle = handle->id;
    TEXT(record->label, handle->label);
    TEXT(record->purpose, purpose_name(handle->purpose));
    TEXT(record->key, key_of(handle->purpose));
    TEXT(record->server, handle->server);
    if (handle->parent) record->parent = handle->parent->id;
}

/* keyd sees a user's number from inside its own user namespace, where other users have none; so it is looked up. A holder
 * decides how often, so what was seen a moment ago is taken again. */
static uint64_t uid_of(struct broker *broker, uint32_t pid)
{
    struct audit *audit = &broker->audit;
    struct procfs_process seen;
    uint64_t now = clock_monotonic_ms();
    if (pid == 0) return 0;
    if (pid == audit->uid_pid && now < audit->uid_ms + UID_MS) return audit->uid_and_1;
    audit->uid_pid = pid;
    audit->uid_ms = now;
    audit->uid_and_1 = procfs_read(&seen, &broker->procfs, (pid_t)pid) == ERR_OK ? seen.uid + UINT64_C(1) : 0;
    return audit->uid_and_1;
}

static enum audit_what kind_of_grant(const struct handle *handle, int control)
{
    if (handle->parent) return AUDIT_RESTRICTED;
    const bool is_browsers =
        handle->purpose == PURPOSE_GATEWAY || (handle->purpose == PURPOSE_BROWSER_DIGEST && control < 0);
    return is_browsers || handle->purpose == PURPOSE_TLS_SERVER ? AUDIT_GRANTED : AUDIT_MINTED;
}

static void add_term(char text[LIMIT_AUDIT_TEXT + 1], const char *what, uint64_t value)
{
    size_t len = strlen(text);
    if (value == 0) return;
    snprintf(text + len, LIMIT_AUDIT_TEXT + 1 - len, "%s%s %llu", len > 0 ? ", " : "", what, (unsigned long long)value);
}

/* Who asked on the control socket, by the kernel's word. */
static void describe_asker(struct audit_record *record, int control)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (control < 0 || getsockopt(control, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof peer) return;
    record->pid = peer.pid > 0 ? (uint64_t)peer.pid : 0;
    record->uid_and_1 = peer.uid + UINT64_C(1);
}

void audit_granted(struct broker *broker, uint64_t number, const struct keyd_grant *terms, int control)
{
    const struct handle *handle = handles_find(&broker->handles, number);
    if (!handle) return; /* keyd was given up over this very grant */
    struct audit_record record = {.what = kind_of_grant(handle, control)};
    describe(&record, handle);
    describe_asker(&record, control);
    add_term(record.text, "seconds", terms->lifetime_s);
    add_term(record.text, "signatures", terms->max_signatures);
    add_term(record.text, "a second", terms->rate);
    add_term(record.text, "for process", terms->pid);
    if (handle->ca[0]) {
        size_t len = strlen(record.text);
        snprintf(record.text + len, sizeof record.text - len, "%sforeign server, SHA-256 of its CA %s",
                 len > 0 ? ", " : "", handle->ca);
    }
    audit_add(broker, &record);
    if (handle->purpose == PURPOSE_TLS_SERVER) audit_server_begins(broker, handle);
}

/* What was under way when the broker dropped the handle is on record by its number alone, which earlier records explain. */
static void describe_number(struct audit_record *record, struct broker *broker, uint64_t number)
{
    const struct handle *handle = handles_find(&broker->handles, number);
    record->handle = number;
    if (handle) describe(record, handle);
}

static void add_refusal(struct broker *broker, const struct audit_merge *merge)
{
    struct audit_record record = {.what = AUDIT_REFUSED, .count = merge->count};
    describe_number(&record, broker, merge->handle);
    if (merge->several) {
        TEXT(record.text, "by several processes");
    } else {
        record.pid = merge->pid;
        record.uid_and_1 = uid_of(broker, merge->pid);
    }
    TEXT(record.reason, refusal_text(merge->reason));
    audit_add(broker, &record);
}

/* What was counted, as a record; the count starts again. */
static void tell_merge(struct broker *broker, struct audit_merge *merge)
{
    if (merge->count > 0) add_refusal(broker, merge);
    merge->count = 0;
    merge->several = false;
}

static void tell_overflow(struct broker *broker)
{
    struct audit_record record = {.what = AUDIT_REFUSED, .count = broker->audit.overflow};
    if (broker->audit.overflow == 0) return;
    TEXT(record.reason, "more handles were refused at once than are told apart");
    broker->audit.overflow = 0;
    audit_add(broker, &record);
}

static void merge_due(struct audit *audit, uint64_t due)
{
    if (audit->merges_due == 0 || due < audit->merges_due) audit->merges_due = due;
}

/* The first one is recorded at once. */
static void take_refusal(struct broker *broker, const struct keyd_event *event)
{
    struct audit *audit = &broker->audit;
    struct audit_merge *spare = NULL;
    uint64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < LIMIT_AUDIT_MERGES; i++) {
        struct audit_merge *merge = &audit->merges[i];
        if (merge->handle == event->grant && merge->reason == event->reason) {
            if (merge->count == 0) merge->pid = event->pid;
            if (merge->pid != event->pid) merge->several = true;
            merge->count += event->count;
            return;
        }
        if (merge->handle == 0 && !spare) spare = merge;
    }
    merge_due(audit, now + MERGE_MS);
    if (!spare) {
        audit->overflow += event->count;
        return;
    }
    *spare = (struct audit_merge){.handle = event->grant,
                                  .reason = event->reason,
                                  .pid = event->pid,
                                  .count = event->count,
                                  .due = now + MERGE_MS};
    tell_merge(broker, spare);
}

/* Those that are due, or all of one handle, which then has an end. */
static void settle_merges(struct broker *broker, uint64_t now, uint64_t handle)
{
    struct audit *audit = &broker->audit;
    audit->merges_due = 0;
    for (size_t i = 0; i < LIMIT_AUDIT_MERGES; i++) {
        struct audit_merge *merge = &audit->merges[i];
        if (merge->handle == 0) continue;
        bool all = merge->handle == handle, idle = merge->count == 0;
        if (all || now >= merge->due) {
            tell_merge(broker, merge);
            merge->due = now + MERGE_MS;
        }
        if (all || (idle && now >= merge->due - MERGE_MS)) merge->handle = 0;
        if (merge->handle != 0) merge_due(audit, merge->due);
    }
    if (audit->overflow > 0) merge_due(audit, now + MERGE_MS);
}

void audit_event(struct broker *broker, const struct keyd_event *event)
{
    static const enum audit_what whats[GRANT_EVENT_NUM] = {
        [GRANT_EVENT_PINNED] = AUDIT_PINNED, [GRANT_EVENT_SIGNED] = AUDIT_SIGNED, [GRANT_EVENT_REFUSED] = AUDIT_REFUSED,
        [GRANT_EVENT_CLOSED] = AUDIT_CLOSED, [GRANT_EVENT_CUT] = AUDIT_CUT,
    };
    struct audit_record record = {.what = whats[event->what], .pid = event->pid};
    bool ends = record.what == AUDIT_CLOSED || record.what == AUDIT_CUT;
    if (ends) audit_server_ended(broker, event->grant, event);
    if (record.what == AUDIT_NONE || (record.what == AUDIT_CLOSED && !handles_find(&broker->handles, event->grant)))
        return; /* it has been recorded why it is closed */
    if (record.what == AUDIT_REFUSED) {
        take_refusal(broker, event);
        return;
    }
    if (ends) settle_merges(broker, clock_monotonic_ms(), event->grant);
    describe_number(&record, broker, event->grant);
    record.uid_and_1 = uid_of(broker, event->pid);
    if (event->reason != REFUSAL_NONE) TEXT(record.reason, refusal_text(event->reason));
    audit_add(broker, &record);
}

void audit_handle(struct broker *broker, enum audit_what what, uint64_t number, const char *why)
{
    struct audit_record record = {.what = what};
    settle_merges(broker, clock_monotonic_ms(), number);
    describe_number(&record, broker, number);
    TEXT(record.text, why);
    audit_add(broker, &record);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static const char *why_blocked(const struct audit *audit)
{
    if (audit->log.error == EAGAIN) return "its reader does not read";
    if (audit->log.error == EPIPE) return "its reader is gone";
    return strerror(audit->log.error);
}

static void hold(struct broker *broker, bool held)
{
    const struct msg msg = {.kind = MSG_KEYD_HOLD, .keyd_hold = held};
    if (broker->audit.close_by != 0) return; /* they are held for good */
    if (broker->audit.policy == AUDIT_REFUSE && broker->audit.has_key)
        process_send(broker, broker_keyd(broker), &msg, NULL, 0);
}

void audit_hold_again(struct broker *broker)
{
    if (broker->audit.blocked) hold(broker, true);
}

static void block(struct broker *broker, uint64_t now)
{
    struct audit *audit = &broker->audit;
    struct audit_record record = {.what = AUDIT_BLOCKED};
    TEXT(record.reason, why_blocked(audit));
    TEXT(record.policy, policy_names[audit->policy]);
    audit->blocked = true;
    audit->shout_at = now;
    hold(broker, true);
    audit_add(broker, &record);
}

static void unblock(struct broker *broker, uint64_t now)
{
    struct audit *audit = &broker->audit;
    struct audit_record record = {.what = AUDIT_UNBLOCKED};
    audit->blocked = false;
    log_line("audit log is written again lost=%llu%s", (unsigned long long)audit->log.lost_all,
             audit->policy == AUDIT_REFUSE ? "; handles are served" : "");
    audit_add(broker, &record);
    if (audit_log_write(&audit->log, clock_wall_ms()) != ERR_OK) block(broker, now);
    if (!audit->blocked) hold(broker, false);
}

static void shout(const struct audit *audit)
{
    log_error("audit log cannot be written: %s; %s bytes_waiting=%zu lost=%llu", why_blocked(audit),
              audit->policy == AUDIT_REFUSE ? "handles are refused until it can" : "handles are used nevertheless",
              audit->log.pending_len - audit->log.pending_at, (unsigned long long)audit->log.lost_all);
}

static void write_out(struct broker *broker, uint64_t now)
{
    struct audit *audit = &broker->audit;
    if (audit->log.pending_len == 0 || (audit->blocked && now < audit->retry_at)) return;
    if (audit_log_write(&audit->log, clock_wall_ms()) == ERR_OK) {
        if (audit->blocked) unblock(broker, now);
        return;
    }
    audit->retry_at = now + RETRY_MS;
    if (!audit->blocked) block(broker, now);
    if (now < audit->shout_at) return;
    audit->shout_at = now + SHOUT_MS;
    shout(audit);
}

void audit_settle(struct broker *broker)
{
    for (size_t i = 0; i < LIMIT_AUDIT_MERGES; i++) tell_merge(broker, &broker->audit.merges[i]);
    tell_overflow(broker);
}

void audit_step(struct broker *broker, uint64_t now)
{
    struct audit *audit = &broker->audit;
    if (!audit->open) return;
    if (audit->merges_due != 0 && now >= audit->merges_due) {
        tell_overflow(broker);
        settle_merges(broker, now, 0);
    }
    if (now >= audit->head_at && !audit->closed && audit->close_by == 0) audit_tick(broker, now);
    write_out(broker, now);
}

void audit_finish(struct broker *broker)
{
    struct audit *audit = &broker->audit;
    if (!audit->open) return;
    audit_close_unsigned(broker);
    if (audit_log_write(&audit->log, clock_wall_ms()) == ERR_OK) return;
    log_error("audit log: %zu bytes could not be written: %s", audit->log.pending_len - audit->log.pending_at,
              why_blocked(audit));
}

uint64_t audit_deadline(const struct audit *audit)
{
    uint64_t next = audit->closed ? 0 : audit->close_by != 0 ? audit->close_by : audit->head_at;
    if (audit->merges_due != 0 && (next == 0 || audit->merges_due < next)) next = audit->merges_due;
    if (audit->blocked && (next == 0 || audit->retry_at < next)) next = audit->retry_at;
    return audit->open ? next : 0;
}

void audit_state(const struct audit *audit, struct audit_state *out, char hex[2 * AUDIT_HASH + 1])
{
    const struct audit_log *log = &audit->log;
    hex[0] = '\0';
    if (audit->has_key) bytes_hex(hex, (struct bytes){audit->fingerprint, AUDIT_HASH});
    *out = (struct audit_state){.records = log->written_records,
                                .fingerprint = hex,
                                .pending = log->pending_len - log->pending_at,
                                .lost = log->lost_all,
                                .held = audit->blocked && audit->policy == AUDIT_REFUSE};
    memcpy(out->hash, log->written_hash, AUDIT_HASH);
}
