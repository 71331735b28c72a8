#include "broker/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/value.h"

static void end(struct revocation *row)
{
    free(row->handles);
    *row = (struct revocation){0};
}

/* In as many messages as the handles take. */
static void tell_worker(struct broker *broker, struct revocation *row, struct process *web, struct bytes *serial)
{
    if (web->row->program != PROGRAM_WEB || !web->introduced) return;
    size_t at = 0;
    do {
        const size_t left = row->num_handles - at, num = left < LIMIT_REVOKED_HANDLES ? left : LIMIT_REVOKED_HANDLES;
        const struct msg msg = {
            .kind = MSG_WEB_REVOKE,
            .id = row->id,
            .web_revoke = {.handles = row->handles + at,
                           .num_handles = num,
                           .serials = serial,
                           .num_serials = serial && at == 0 ? 1 : 0},
        };
        if (!process_is_up(web)) return;
        row->waits[web - broker->processes]++;
        process_send(broker, web, &msg, NULL, 0);
        at += num;
    } while (at < row->num_handles);
    tickets_tell(broker, web); /* it has dropped its keys */
}

static void tell_workers(struct broker *broker, struct revocation *row, struct bytes *serial)
{
    for (size_t i = 0; i < broker->num_processes; i++) tell_worker(broker, row, &broker->processes[i], serial);
}

static void check_done(struct broker *broker, struct revocation *row)
{
    if (row->id == 0 || row->num_open > 0) return;
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (row->waits[i] > 0) return;
    }
    if (row->is_past && row->connections == 0) {
        char text[128];
        snprintf(text, sizeof text, "%s: there is none; broker handle list shows them", row->subject);
        control_fail(broker, row->ticket, ERR_NOT_FOUND, text);
    } else {
        log_line("revocation complete what=%s connections=%llu took_ms=%u", log_quote(row->subject),
                 (unsigned long long)row->connections, (unsigned)(clock_monotonic_ms() - row->begun));
        control_done(broker, row->ticket, row->connections);
    }
    end(row);
}

/* NULL: the ticket has been answered. */
static struct revocation *begin(struct broker *broker, struct control_ticket ticket, size_t max_handles)
{
    struct revocation *row = NULL;
    for (size_t i = 0; i < REVOCATIONS && !row; i++) {
        if (broker->revocations.rows[i].id == 0) row = &broker->revocations.rows[i];
    }
    uint64_t *handles = row ? calloc(max_handles, sizeof *handles) : NULL;
    if (!handles) {
        control_fail(broker, ticket, ERR_AGAIN, "too many revocations are under way; ask again");
        return NULL;
    }
    tickets_replace(&broker->tickets); /* nothing that was resumable before is */
    *row = (struct revocation){
        .id = ++broker->last_id, .handles = handles, .begun = clock_monotonic_ms(), .ticket = ticket};
    return row;
}

static void fail_unknown(struct broker *broker, struct control_ticket ticket, uint64_t handle)
{
    char text[128];
    snprintf(text, sizeof text, "handle %llu: there is none; broker handle list shows them",
             (unsigned long long)handle);
    control_fail(broker, ticket, ERR_NOT_FOUND, text);
}

/* LIMIT_GRANT_DEPTH bounds how deep that goes. */
static size_t count_derived(const struct handle *handle)
{
    size_t num = 0;
    for (const struct handle *child = handle->first_child; child; child = child->next_sibling)
        num += 1 + count_derived(child);
    return num;
}

/* What was derived from it goes with it: keyd knows whose parent it is, and the workers know of each connection's handle what
 * that was derived from. One that has ended is asked about too: keyd may not have heard that the broker dropped it, and sign
 * in that moment. */
static void tell_keyd(struct broker *broker, struct revocation *row, uint64_t handle)
{
    const struct msg msg = {.kind = MSG_KEYD_REVOKE, .keyd_revoke = handle};
    struct process *keyd = broker_keyd(broker);
    row->handles[row->num_handles++] = handle;
    if (!process_is_up(keyd) || !broker->identity.present) return;
    row->num_open = 1;
    process_send(broker, keyd, &msg, NULL, 0);
}

void revocation_handle(struct broker *broker, struct control_ticket ticket, uint64_t wanted)
{
    const struct handle *handle = handles_find(&broker->handles, wanted);
    /* One that has ended may have left connections behind, which are somebody's all the same. */
    if (wanted == 0 || wanted > broker->handles.last_id || (handle && !handle_is_lent(handle))) {
        fail_unknown(broker, ticket, wanted);
        return;
    }
    struct revocation *row = begin(broker, ticket, 1);
    if (!row) return;
    snprintf(row->subject, sizeof row->subject, "handle %llu", (unsigned long long)wanted);
    row->is_past = handle == NULL;
    if (handle) {
        audit_handle(broker, AUDIT_REVOKED, wanted, "by the control socket");
        log_line("handle revoked id=%llu label=%s derived=%zu%s", (unsigned long long)wanted, log_quote(handle->label),
                 count_derived(handle),
                 wanted == broker->browser.handle
                     ? " effect='the browser goes on without one until broker browser renew gives it another'"
                     : "");
    }
    tell_keyd(broker, row, wanted);
    tell_workers(broker, row, NULL);
    check_done(broker, row);
}

static enum err keep_certificate(struct revocations *revocations, struct bytes serial)
{
    for (size_t i = 0; i < revocations->num_certificates; i++) {
        const struct revoked_certificate *kept = &revocations->certificates[i];
        if (bytes_equal((struct bytes){kept->serial, kept->len}, serial)) return ERR_OK;
    }
    if (revocations->num_certificates == LIMIT_REVOKED_SERIALS) return ERR_TOO_LARGE;
    struct revoked_certificate *kept = &revocations->certificates[revocations->num_certificates++];
    memcpy(kept->serial, serial.data, serial.len);
    kept->len = serial.len;
    return ERR_OK;
}

/* The role of keyd's certificate with this serial number. NULL: it is none of keyd's. */
static const char *role_of(const struct broker *broker, struct bytes serial)
{
    const struct keyd_identity *identity = &broker->identity.value;
    for (size_t i = 0; broker->identity.present && i < identity->num_certificates; i++) {
        uint8_t own[LIMIT_SERIAL];
        struct diag unused;
        struct bytes is = {own, 0};
        if (value_serial(own, &is.len, identity->certificates[i].serial, &unused) == ERR_OK && bytes_equal(is, serial))
            return identity->certificates[i].role;
    }
    return NULL;
}

/* Every handle is one of that certificate's: they all end, with the keyd that has them. The next one has new keys, or the same
 * if an operator brought them, and then nothing more is given out. */
static void revoke_own_client(struct broker *broker, struct revocation *row)
{
    for (const struct handle *handle = broker->handles.first; handle; handle = handle->next) {
        if (!handle_is_lent(handle)) continue;
        audit_handle(broker, AUDIT_REVOKED, handle->id, "its certificate was revoked");
        row->handles[row->num_handles++] = handle->id;
    }
    row->num_open = row->num_handles;
    broker->client_revoked = broker->resources->client.num > 0;
    log_line("keyd's own client certificate is revoked: every handle is, and keyd is renewed handles=%zu%s",
             row->num_handles,
             broker->client_revoked
                 ? " effect='no handle is given out until the broker is started with another certificate'"
                 : "");
    broker->renew_at = clock_monotonic_ms();
    broker->renew_why = "its client certificate was revoked";
}

void revocation_certificate(struct broker *broker, struct control_ticket ticket, struct bytes serial)
{
    char hex[2 * LIMIT_SERIAL + 1], text[256];
    bytes_hex(hex, serial);
    const char *role = role_of(broker, serial);
    const bool is_own = role && strcmp(role, "client") == 0;
    if (role && !is_own) {
        snprintf(text, sizeof text,
                 "certificate %s is this system's own %s certificate, which its clients judge; only a client's can be "
                 "revoked; restart the broker to have new ones made",
                 hex, role);
        control_fail(broker, ticket, ERR_INPUT, text);
        return;
    }
    struct revocation *row = begin(broker, ticket, is_own ? handles_lent(&broker->handles) + 1 : 1);
    if (!row) return;
    if (keep_certificate(&broker->revocations, serial) != ERR_OK) {
        snprintf(text, sizeof text,
                 "certificate %s: %u are revoked already, which is all that is kept; take their CA out of --client-ca "
                 "and restart the broker",
                 hex, LIMIT_REVOKED_SERIALS);
        control_fail(broker, ticket, ERR_TOO_LARGE, text);
        end(row);
        return;
    }
    snprintf(row->subject, sizeof row->subject, "certificate %s", hex);
    log_line("certificate revoked serial=%s", hex);
    struct audit_record record = {.what = AUDIT_CERTIFICATE};
    audit_record_text(record.text, sizeof record.text, hex);
    audit_add(broker, &record);
    if (is_own) revoke_own_client(broker, row);
    tell_workers(broker, row, &serial);
    check_done(broker, row);
}

/* What keyd says in the worker's channel about those handles has been said. */
static void ask_again(struct broker *broker, struct revocation *row)
{
    if (row->num_open == 0) tell_workers(broker, row, NULL);
    check_done(broker, row);
}

void revocation_note_closed(struct broker *broker, uint64_t handle)
{
    for (size_t i = 0; i < REVOCATIONS; i++) {
        struct revocation *row = &broker->revocations.rows[i];
        for (size_t j = 0; j < row->num_open; j++) {
            if (row->handles[j] != handle) continue;
            row->handles[j] = row->handles[--row->num_open];
            row->handles[row->num_open] = handle;
            ask_again(broker, row);
            break;
        }
    }
}

void revocation_note_keyd_gone(struct broker *broker)
{
    for (size_t i = 0; i < REVOCATIONS; i++) {
        struct revocation *row = &broker->revocations.rows[i];
        if (row->num_open == 0) continue;
        row->num_open = 0;
        ask_again(broker, row);
    }
}

void revocation_note_answer(struct broker *broker, const struct process *web, const struct msg *msg)
{
    for (size_t i = 0; i < REVOCATIONS; i++) {
        struct revocation *row = &broker->revocations.rows[i];
        uint32_t *waits = &row->waits[web - broker->processes];
        if (row->id == 0 || row->id != msg->id || *waits == 0) continue;
        (*waits)--;
        /* No worker has more, whatever it says. */
        row->connections += msg->web_revoked < LIMIT_CONNECTIONS ? msg->web_revoked : LIMIT_CONNECTIONS;
        check_done(broker, row);
    }
}

void revocation_note_web_gone(struct broker *broker, const struct process *web)
{
    for (size_t i = 0; i < REVOCATIONS; i++) {
        struct revocation *row = &broker->revocations.rows[i];
        if (row->waits[web - broker->processes] == 0) continue;
        row->waits[web - broker->processes] = 0;
        check_done(broker, row);
    }
}

void revocation_introduce(struct broker *broker, struct process *web)
{
    struct bytes serials[LIMIT_REVOKED_SERIALS];
    const struct revocations *revocations = &broker->revocations;
    if (revocations->num_certificates == 0) return;
    for (size_t i = 0; i < revocations->num_certificates; i++)
        serials[i] = (struct bytes){revocations->certificates[i].serial, revocations->certificates[i].len};
    const struct msg msg = {.kind = MSG_WEB_REVOKE,
                            .web_revoke = {.serials = serials, .num_serials = revocations->num_certificates}};
    process_send(broker, web, &msg, NULL, 0);
}

uint64_t revocation_deadline(const struct broker *broker)
{
    uint64_t next = 0;
    for (size_t i = 0; i < REVOCATIONS; i++) {
        const struct revocation *row = &broker->revocations.rows[i];
        if (row->id != 0 && (next == 0 || row->begun + DEADLINE_REVOKE_MS < next))
            next = row->begun + DEADLINE_REVOKE_MS;
    }
    return next;
}

static void add_name(char *names, size_t names_len, const char *name)
{
    size_t len = strlen(names);
    snprintf(names + len, names_len - len, "%s%s", len > 0 ? ", " : "", name);
}

/* Who has not answered is replaced: with keyd go its keys, with a worker its connections. */
static void expire(struct broker *broker, struct revocation *row)
{
    char names[LIMIT_TEXT / 2] = "", text[LIMIT_TEXT];
    struct process *silent[LIMIT_PROCESSES];
    size_t num = 0;
    if (row->num_open > 0) silent[num++] = broker_keyd(broker);
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (row->waits[i] > 0) silent[num++] = &broker->processes[i];
    }
    for (size_t i = 0; i < num; i++) add_name(names, sizeof names, silent[i]->name);
    snprintf(text, sizeof text,
             "%s is revoked, but %s did not confirm it within %u ms; replaced now, so that what is left of it ends",
             row->subject, names, DEADLINE_REVOKE_MS);
    log_error("revocation not confirmed what=%s by=%s", log_quote(row->subject), log_quote(names));
    control_fail(broker, row->ticket, ERR_TIMEOUT, text);
    end(row); /* before anybody's end is noted in it */
    for (size_t i = 0; i < num; i++) process_give_up(broker, silent[i], "it does not confirm a revocation");
}

void revocation_expire(struct broker *broker, uint64_t now)
{
    for (size_t i = 0; i < REVOCATIONS; i++) {
        struct revocation *row = &broker->revocations.rows[i];
        if (row->id != 0 && now >= row->begun + DEADLINE_REVOKE_MS) expire(broker, row);
    }
}
