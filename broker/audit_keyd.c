/* keyd's part in the audit log: it signs its heads, and counts what servers have signed. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/audit_signature.h"
#include "broker/broker.h"

#define TEXT(member, words) audit_record_text(member, sizeof(member), words)

void audit_keyd_is_there(struct broker *broker, struct bytes public_key)
{
    struct audit *audit = &broker->audit;
    char hex[2 * AUDIT_HASH + 1];
    struct audit_record record = {.what = AUDIT_KEY};
    if (!audit->open) return;
    audit->has_key = audit_key_fingerprint(audit->fingerprint, public_key);
    audit->asked = 0;
    if (!audit->has_key) {
        log_warning("keyd brings a key for the audit log that is none; its heads stay unsigned");
        return;
    }
    audit_set_bytes(&record.fingerprint, (struct bytes){audit->fingerprint, AUDIT_HASH});
    audit_set_bytes(&record.public_key, public_key);
    audit_add(broker, &record);
    bytes_hex(hex, (struct bytes){audit->fingerprint, AUDIT_HASH});
    log_line("audit key=%s record=%llu", hex, (unsigned long long)audit->log.records);
    audit_hold_again(broker);
}

void audit_keyd_is_gone(struct broker *broker)
{
    struct audit *audit = &broker->audit;
    audit->has_key = false;
    audit->waits = AUDIT_WAITS_FOR_NOTHING;
    audit->keyd_lost = 0;
    memset(audit->servers, 0, sizeof audit->servers);
}

/* ---- Server signatures ------------------------------------------------------------------------------------------ */

static struct audit_server *find_server(struct audit *audit, uint64_t grant)
{
    for (size_t i = 0; i < sizeof audit->servers / sizeof *audit->servers; i++) {
        if (audit->servers[i].grant == grant) return &audit->servers[i];
    }
    return NULL;
}

void audit_server_begins(struct broker *broker, const struct handle *handle)
{
    struct audit_server *server = find_server(&broker->audit, 0);
    if (!server) return; /* more than there are workers: of those that have ended, keyd has not told yet */
    *server = (struct audit_server){.grant = handle->id};
    TEXT(server->name, handle->label);
}

static void tell_server(struct broker *broker, struct audit_server *server, uint64_t signatures, uint64_t refusals)
{
    struct audit_record record = {.what = AUDIT_SERVER,
                                  .handle = server->grant,
                                  .count = signatures - server->signatures,
                                  .refusals = refusals - server->refusals};
    if (record.count == 0 && record.refusals == 0) return;
    TEXT(record.process, server->name);
    TEXT(record.key, "server");
    server->signatures = signatures;
    server->refusals = refusals;
    audit_add(broker, &record);
}

void audit_server_ended(struct broker *broker, uint64_t grant, const struct keyd_event *event)
{
    struct audit_server *server = find_server(&broker->audit, grant);
    if (!server) return;
    tell_server(broker, server, event->signatures, event->refusals);
    server->grant = 0;
}

static void ask_status(struct broker *broker)
{
    const struct msg query = {.kind = MSG_STATUS_QUERY, .id = ++broker->last_id};
    process_send(broker, broker_keyd(broker), &query, NULL, 0);
}

void audit_server_ends(struct broker *broker, uint64_t grant)
{
    struct audit_server *server = grant != 0 ? find_server(&broker->audit, grant) : NULL;
    if (!server || !broker->audit.has_key) return;
    server->ended = true;
    ask_status(broker);
}

/* Of these keyd could not tell the broker. None is a signature: what cannot be told is not signed. */
static void tell_lost(struct broker *broker, uint64_t lost)
{
    struct audit_record gap = {.what = AUDIT_GAP, .lost = lost - broker->audit.keyd_lost};
    if (gap.lost == 0) return;
    TEXT(gap.process, "keyd");
    broker->audit.keyd_lost = lost;
    audit_add(broker, &gap);
}

void audit_status(struct broker *broker, const struct keyd_status *status)
{
    struct audit *audit = &broker->audit;
    tell_lost(broker, status->events_lost);
    for (size_t i = 0; i < status->num_grants; i++) {
        const struct grant_status *row = &status->grants[i];
        struct audit_server *server = find_server(audit, row->grant);
        if (server) tell_server(broker, server, row->signatures, row->refusals);
    }
    for (size_t i = 0; i < sizeof audit->servers / sizeof *audit->servers; i++) {
        if (audit->servers[i].ended) audit->servers[i] = (struct audit_server){0};
    }
    if (audit->waits == AUDIT_WAITS_FOR_STATUS) audit_ask_head(broker);
}

/* ---- Heads ------------------------------------------------------------------------------------------------------ */

/* Of the last record there is, unless that is nothing new. */
void audit_ask_head(struct broker *broker)
{
    struct audit *audit = &broker->audit;
    audit->waits = AUDIT_WAITS_FOR_NOTHING;
    if (audit->log.records <= audit->asked || audit->log.records == audit->quiet) return;
    audit->waits = AUDIT_WAITS_FOR_HEAD;
    audit->asked = audit->log.records;
    memcpy(audit->asked_hash, audit->log.hash, AUDIT_HASH);
    struct msg msg = {
        .kind = MSG_SIGN_AUDIT_HEAD, .id = ++broker->last_id, .sign_audit_head = {.number = audit->asked}};
    if (audit->close_by == 0)
        memcpy(msg.sign_audit_head.hash, audit->asked_hash, AUDIT_HASH);
    else
        audit_end_hash(msg.sign_audit_head.hash, audit->asked_hash);
    process_send(broker, broker_keyd(broker), &msg, NULL, 0);
}

void audit_tick(struct broker *broker, uint64_t now)
{
    struct audit *audit = &broker->audit;
    audit->head_at = now + audit->interval_ms;
    if (!audit->has_key) return;
    audit->waits = AUDIT_WAITS_FOR_STATUS;
    ask_status(broker);
}

static void echo_head(const struct audit_record *record)
{
    char hash[2 * AUDIT_HASH + 1], signature[2 * LIMIT_AUDIT_KEY + 1], key[2 * AUDIT_HASH + 1];
    bytes_hex(hash, (struct bytes){record->hash.data, record->hash.len});
    bytes_hex(signature, (struct bytes){record->signature.data, record->signature.len});
    bytes_hex(key, (struct bytes){record->fingerprint.data, record->fingerprint.len});
    log_line("audit head=%llu:%s signature=%s key=%s", (unsigned long long)record->head, hash, signature, key);
}

static void add_head(struct broker *broker, enum audit_what what, struct bytes signature)
{
    struct audit *audit = &broker->audit;
    struct audit_record record = {.what = what, .head = audit->asked};
    audit_set_bytes(&record.hash, (struct bytes){audit->asked_hash, AUDIT_HASH});
    audit_set_bytes(&record.fingerprint, (struct bytes){audit->fingerprint, AUDIT_HASH});
    audit_set_bytes(&record.signature, signature);
    bool covers_all = audit->log.records == audit->asked;
    if (what == AUDIT_END) {
        audit_log_add(&audit->log, &record, 0); /* with the time of the last one */
        audit->closed = true;
    } else {
        audit_add(broker, &record);
    }
    if (covers_all) audit->quiet = audit->log.records;
    echo_head(&record);
}

void audit_head_signed(struct broker *broker, uint64_t number, struct bytes signature)
{
    struct audit *audit = &broker->audit;
    if (audit->waits != AUDIT_WAITS_FOR_HEAD || number != audit->asked || signature.len > LIMIT_AUDIT_KEY) return;
    audit->waits = AUDIT_WAITS_FOR_NOTHING;
    if (audit->close_by == 0) {
        if (audit->log.records - number < LIMIT_AUDIT_LAG) add_head(broker, AUDIT_HEAD, signature);
    } else if (audit->log.records == number) {
        add_head(broker, AUDIT_END, signature);
    } else {
        audit_ask_head(broker); /* something has happened meanwhile */
    }
}

void audit_close_unsigned(struct broker *broker)
{
    struct audit *audit = &broker->audit;
    struct audit_record end = {.what = AUDIT_END};
    if (audit->closed) return;
    audit_add(broker, &end);
    audit->closed = true;
    log_warning("audit log is closed without a signed head: keyd was not there to sign it");
}

/* What is signed behind the last head would be on no record. Whatever the policy is; keyd ends next. */
static void hold_for_good(struct broker *broker)
{
    const struct msg msg = {.kind = MSG_KEYD_HOLD, .keyd_hold = true};
    if (broker->audit.has_key) process_send(broker, broker_keyd(broker), &msg, NULL, 0);
}

bool audit_close(struct broker *broker, const char *why, uint64_t now)
{
    struct audit *audit = &broker->audit;
    if (!audit->open || audit->closed) return true;
    if (audit->close_by == 0) {
        struct audit_record stop = {.what = AUDIT_STOP};
        TEXT(stop.text, why);
        audit_settle(broker);
        audit_add(broker, &stop);
        audit->close_by = now + DEADLINE_AUDIT_MS;
        hold_for_good(broker);
        if (audit->has_key) audit_ask_head(broker);
    }
    if (!audit->has_key || now >= audit->close_by) audit_close_unsigned(broker);
    return audit->closed;
}
