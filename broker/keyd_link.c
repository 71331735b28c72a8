/* What the broker and keyd say to each other. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/host_name.h"
#include "base/log.h"
#include "broker/broker.h"

void keyd_begin(struct broker *broker, struct process *keyd)
{
    keyd_set_up(broker, keyd, ++broker->last_id, broker->config, broker->resources);
    servers_give_keyd(&broker->servers, broker, keyd, broker->setting);
}

void keyd_set_up(struct broker *broker, struct process *keyd, uint64_t id, const struct config *config,
                 const struct resources *resources)
{
    struct msg msg = {
        .kind = MSG_KEYD_SETUP,
        .id = id,
        .keyd_setup =
            {
                .ca_lifetime_s = config->ca_lifetime_s,
                .leaf_lifetime_s = config->leaf_lifetime_s,
                .client_name = config->client_name,
                .tls12 = config->tls.tls12,
                .log_style = broker->log_style,
            },
    };
    struct keyd_setup *setup = &msg.keyd_setup;
    for (size_t i = 0; i < config->num_names; i++) {
        const struct config_name *name = &config->names[i];
        if (name->ip_len > 0) {
            setup->ip_addresses[setup->num_ip_addresses++] = (struct bytes){name->ip, name->ip_len};
        } else {
            setup->dns_names[setup->num_dns_names++] = name->dns;
        }
    }
    int keys[2];
    size_t num_keys = 0;
    const struct brought *server = &resources->server, *client = &resources->client;
    for (size_t i = 0; i < server->num; i++) setup->server_chain[setup->num_server_chain++] = server->chain[i];
    for (size_t i = 0; i < client->num; i++) setup->client_chain[setup->num_client_chain++] = client->chain[i];
    if (server->num > 0) keys[num_keys++] = server->key;
    if (client->num > 0) keys[num_keys++] = client->key;
    process_send(broker, keyd, &msg, keys, num_keys);
}

/* The message moves into an arena of its own, by trading arenas; nothing is copied. */
static void keep_identity(struct broker *broker, uint64_t setup, const struct keyd_identity *value)
{
    struct codec_arena *spare = broker->identity.arena;
    broker->identity.arena = broker->arena;
    broker->arena = spare;
    broker->identity.setup = setup;
    broker->identity.value = *value;
}

/* Whether the default server's certificate is for that name. */
static bool is_for(const struct keyd_identity *identity, const char *name)
{
    for (size_t i = 0; i < identity->num_certificates; i++) {
        const struct certificate_info *info = &identity->certificates[i];
        for (size_t j = 0; j < info->num_names; j++) {
            if (strcmp(info->role, "server") == 0 && host_name_matches(info->names[j], name)) return true;
        }
    }
    return false;
}

bool keyd_is_for_the_browser(const struct keyd_identity *identity)
{
    return is_for(identity, "localhost");
}

/* keyd has all its keys. */
static void begin_service(struct broker *broker, struct process *keyd)
{
    broker->identity.present = true;
    /* New keys in good time: when two thirds of the leaves' life are over. Brought ones are the operator's to renew. */
    const bool is_all_brought = broker->resources->server.num > 0 && broker->resources->client.num > 0;
    broker->renew_at =
        is_all_brought ? 0 : clock_monotonic_ms() + UINT64_C(1000) * broker->config->leaf_lifetime_s / 3 * 2;
    process_ready(broker, keyd);
    shim_supply(broker);
    web_identify_all(broker);
}

/* One that comes when there is one is for a reload that was given up meanwhile, and keyd was told so behind its question. */
static void take_identity(struct broker *broker, struct process *keyd, const struct msg *msg)
{
    const struct keyd_identity *value = &msg->keyd_identity;
    if (broker->identity.present) return;
    if (broker->resources->server.num > 0 && broker->resources->with_browser && !keyd_is_for_the_browser(value)) {
        log_error("--server-certificate: the leaf is not for 'localhost', where the browser opens the page; have that "
                  "name added, or say --no-browser");
        broker_stop(broker, ERR_INPUT);
        return;
    }
    audit_keyd_is_there(broker, value->audit_key); /* before anything is granted */
    keep_identity(broker, msg->id, value);
    value = &broker->identity.value;
    if (!value->secret_memory)
        log_warning(
            "WARNING: the keys are in locked memory, which root can read: memfd_secret is missing; use Linux 5.14 or "
            "newer, before 6.5 with secretmem.enable=1 on its command line, and no container that forbids the call");
    if (servers_complete(&broker->servers)) begin_service(broker, keyd);
}

static void take_server(struct broker *broker, struct process *keyd, const struct msg *msg)
{
    const enum err err = servers_note_info(&broker->servers, msg);
    if (err == ERR_MEMORY) broker_stop(broker, err);
    if (err == ERR_OK && servers_complete(&broker->servers)) begin_service(broker, keyd);
}

/* Which of our processes has the channel; NULL: none, a client of the control socket has it. */
static struct process *holder_of(struct broker *broker, const struct handle *handle)
{
    if (handle->id == broker->browser.handle || handle->id == broker->browser.former) return broker_shim(broker);
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].grant == handle->id) return &broker->processes[i];
    }
    return web_of_lent(broker, handle->id);
}

static void forget_grant(struct broker *broker, uint64_t id)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].grant == id) broker->processes[i].grant = 0;
    }
    if (broker->browser.handle == id) broker->browser.handle = 0;
    if (broker->browser.former == id) broker->browser.former = 0;
    web_forget_lent(broker, id);
    handles_remove(&broker->handles, id);
    web_expect(broker);
}

/* The uid is looked up here: keyd sees it from inside its own user namespace, where other users have no number.
 * A handle's holder decides how often it is used; the counters count all of it. */
static void log_event(struct broker *broker, const char *what, const struct handle *handle,
                      const struct keyd_event *event, const char *reason)
{
    struct procfs_process sender;
    char uid[16] = "?", times[24] = "";
    uint64_t withheld;
    if (!log_rate_admit(&broker->handle_log, &withheld, clock_monotonic_ms(), LIMIT_HANDLE_LINES)) return;
    if (withheld > 0) log_line("too many uses of handles to log them all withheld=%llu", (unsigned long long)withheld);
    if (procfs_read(&sender, &broker->procfs, (pid_t)event->pid) == ERR_OK)
        snprintf(uid, sizeof uid, "%u", (unsigned)sender.uid);
    if (event->count > 1) snprintf(times, sizeof times, " times=%u", (unsigned)event->count);
    log_line("handle %s id=%llu label=%s pid=%u uid=%s%s%s%s", what, (unsigned long long)handle->id,
             log_quote(handle->label), (unsigned)event->pid, uid, times, reason ? " reason=" : "",
             reason ? log_quote(reason) : "");
}

/* As keyd counts: each use of a derived handle is one of those above it too. */
static void count_signatures(struct handle *handle, uint32_t num)
{
    for (; handle; handle = handle->parent) handle->signatures += num;
}

static void take_event(struct broker *broker, const struct keyd_event *event)
{
    /* A grant that the broker has dropped may still have events under way, and somebody who waits for it. */
    if (event->what == GRANT_EVENT_CLOSED) control_not_opened(broker, event->grant, event->reason);
    struct handle *handle = handles_find(&broker->handles, event->grant);
    audit_event(broker, event);
    const bool is_end = event->what == GRANT_EVENT_CLOSED || event->what == GRANT_EVENT_CUT;
    if (is_end) revocation_note_closed(broker, event->grant);
    if (!handle) return;
    struct process *holder = holder_of(broker, handle);
    if (event->what == GRANT_EVENT_REFUSED) broker->handle_refusals[event->reason] += event->count;
    switch (event->what) {
    case GRANT_EVENT_PINNED:
        handle->pinned_pid = event->pid;
        if (handle->id == broker->browser.handle) broker->browser.pid = event->pid;
        log_event(broker, "pinned", handle, event, NULL);
        break;
    case GRANT_EVENT_SIGNED:
        count_signatures(handle, event->count);
        log_event(broker, "signed", handle, event, NULL);
        break;
    case GRANT_EVENT_REFUSED:
        handle->refusals += event->count;
        log_event(broker, "refused", handle, event, refusal_text(event->reason));
        break;
    case GRANT_EVENT_OPENED: control_opened(broker, event->grant); break;
    case GRANT_EVENT_CLOSED:
        if (event->reason != REFUSAL_NONE) web_not_lent(broker, event->grant, event->reason);
        if (event->reason != REFUSAL_NONE) log_event(broker, "closed", handle, event, refusal_text(event->reason));
        forget_grant(broker, event->grant);
        break;
    case GRANT_EVENT_CUT:
        log_event(broker, "cut", handle, event, refusal_text(REFUSAL_MALFORMED));
        forget_grant(broker, event->grant);
        if (holder) process_give_up(broker, holder, "it broke the protocol towards keyd");
        break;
    case GRANT_EVENT_NONE:
    case GRANT_EVENT_NUM: break;
    }
}

static void take_status(struct broker *broker, struct process *keyd, const struct keyd_status *status)
{
    keyd->asked = false;
    audit_status(broker, status);
    broker->keyd_counters = *status;
    broker->keyd_counters.grants = NULL;
    broker->keyd_counters.num_grants = 0;
    for (size_t i = 0; i < status->num_grants; i++) {
        struct handle *handle = handles_find(&broker->handles, status->grants[i].grant);
        if (!handle) continue;
        handle->signatures = status->grants[i].signatures;
        handle->refusals = status->grants[i].refusals;
    }
    control_check_round(broker);
}

void keyd_answer(struct broker *broker, struct process *keyd, const struct msg *msg)
{
    if (msg->kind == MSG_KEYD_IDENTITY && !reload_note_identity(broker, msg)) take_identity(broker, keyd, msg);
    if (msg->kind == MSG_SERVER_INFO && !reload_note_server(broker, msg)) take_server(broker, keyd, msg);
    if (msg->kind == MSG_KEYD_EVENT) take_event(broker, &msg->keyd_event);
    if (msg->kind == MSG_KEYD_STATUS) take_status(broker, keyd, &msg->keyd_status);
    if (msg->kind == MSG_AUDIT_HEAD) audit_head_signed(broker, msg->audit_head.number, msg->audit_head.signature);
}

struct bytes keyd_server_ca(const struct broker *broker, const char *server)
{
    if (server[0] && !is_for(&broker->identity.value, server)) {
        const struct bytes anchor = servers_anchor(broker, server);
        if (anchor.len > 0) return anchor;
    }
    return brought_anchor(&broker->resources->server, broker->identity.value.ca);
}

void keyd_ended(struct broker *broker)
{
    broker->identity.present = false;
    servers_forget(&broker->servers);
    broker->renew_at = 0;
    audit_keyd_is_gone(broker);
    broker->retired_signatures += broker->keyd_counters.signatures;
    broker->retired_refusals += broker->keyd_counters.refusals;
    broker->retired_events_lost += broker->keyd_counters.events_lost;
    broker->keyd_counters = (struct keyd_status){0};
    broker->browser.handle = broker->browser.former = broker->browser.supplied_by = 0;
    for (size_t i = 0; i < broker->num_processes; i++) broker->processes[i].grant = 0;
    web_forget_lent(broker, 0);
    control_none_opened(broker);
    handles_clear(&broker->handles);
    web_expect(broker);
    revocation_note_keyd_gone(broker);
    reload_note_keyd_gone(broker);
    control_check_round(broker);
}

enum err keyd_grant(struct broker *broker, uint64_t *out_handle, int *out_end, const struct keyd_grant *terms)
{
    int ends[2];
    struct process *keyd = broker_keyd(broker);
    if (!process_is_up(keyd) || !broker->identity.present) return ERR_AGAIN;
    if (broker->client_revoked && terms->purpose != PURPOSE_TLS_SERVER) return ERR_DENIED;
    if (broker->handles.num >= broker->max_handles) return ERR_TOO_LARGE;
    if (channel_pair(ends) != ERR_OK) return ERR_SYSTEM;
    AUTO_FD upper = ends[0];
    AUTO_FD lower = ends[1];
    /* Before anybody can send: the kernel names only senders of packets that are sent after this. A worker is known
     * without, and the naming would cost each of its signatures half a microsecond. */
    if (terms->purpose != PURPOSE_TLS_SERVER && channel_want_sender(upper) != ERR_OK) return ERR_SYSTEM;
    const struct handle *handle = handles_add(&broker->handles, terms, clock_monotonic_ms());
    if (!handle) return ERR_TOO_LARGE;
    struct msg msg = {.kind = MSG_KEYD_GRANT, .keyd_grant = *terms};
    msg.keyd_grant.grant = handle->id;
    *out_handle = handle->id;
    web_expect(broker);
    process_send(broker, keyd, &msg, &upper, 1);
    *out_end = auto_keep_fd(&lower);
    return ERR_OK;
}

void keyd_revoke(struct broker *broker, uint64_t handle)
{
    const struct msg msg = {.kind = MSG_KEYD_REVOKE, .keyd_revoke = handle};
    if (!handles_find(&broker->handles, handle)) return;
    forget_grant(broker, handle);
    process_send(broker, broker_keyd(broker), &msg, NULL, 0);
}
