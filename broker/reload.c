#include "broker/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/generation.h"
#include "broker/reload_read.h"

#define AS_IT_WAS "all is as it was"

/* ---- Its end ---------------------------------------------------------------------------------------------------- */

static void close_loader(struct reload *reload)
{
    if (reload->loader.fd > 0) close(reload->loader.fd);
    for (size_t i = 0; i < reload->num_files; i++) {
        if (reload->files[i].fd >= 0) close(reload->files[i].fd);
    }
    free(reload->files);
    reload->loader.fd = 0;
    reload->files = NULL;
    reload->num_files = 0;
}

/* What is in force stays, and so does the memory for another identity. */
static void forget(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    const bool again = reload->again;
    const struct reload_asker asker = reload->again_asker;
    close_loader(reload);
    reload->identity.present = false;
    servers_forget(&reload->servers);
    *reload = (struct reload){.identity = reload->identity};
    if (again && !broker->stopping) reload_begin(broker, &asker);
}

static void refuse(struct broker *broker, const struct reload_asker *asker, const char *changes, enum err err,
                   const char *text)
{
    log_error("reload failed reason=%s effect='" AS_IT_WAS "'", log_quote(text));
    audit_reloaded(broker, asker, changes, text);
    if (asker->has_ticket) control_fail(broker, asker->ticket, err, text);
}

/* Its workers are given up, and the setting goes with the last of them. keyd forgets the key as soon as they are gone. */
static void undo(struct broker *broker)
{
    struct setting *next = broker->reload.next;
    const struct msg settle = {.kind = MSG_KEYD_SETTLE, .keyd_settle = broker->identity.setup};
    broker->reload.next = NULL;
    if (broker->reload.setup != 0 && broker->identity.present)
        process_send(broker, broker_keyd(broker), &settle, NULL, 0);
    if (!next) return;
    next->next = broker->setting->next;
    broker->setting->next = next;
    generation_end(broker, next);
    generation_sweep(broker);
}

static void fail(struct broker *broker, enum err err, const char *text)
{
    const struct reload_asker asker = broker->reload.asker;
    broker->reload.stage = RELOAD_NONE;
    undo(broker);
    refuse(broker, &asker, broker->reload.changes, err, text);
    forget(broker);
}

static void check_done(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (reload->waits[i]) return;
    }
    log_line("reloaded changes=%s connections_closed=%llu took_ms=%u",
             log_quote(reload->changes[0] ? reload->changes : "what the files hold"),
             (unsigned long long)reload->connections, (unsigned)(clock_monotonic_ms() - reload->begun));
    audit_reloaded(broker, &reload->asker, reload->changes, NULL);
    if (reload->asker.has_ticket) control_done(broker, reload->asker.ticket, reload->connections);
    reload->stage = RELOAD_NONE;
    forget(broker);
}

/* ---- In force --------------------------------------------------------------------------------------------------- */

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* Old workers know old CAs and lists: what came in by a CA that is out, or is revoked, is ended there too. */
static void distrust(struct broker *broker, const struct resources *before)
{
    struct reload *reload = &broker->reload;
    const struct trust_files *now = &broker->resources->trust;
    if (trust_files_equal(now, &before->trust)) return;
    reload->trust = ++broker->last_id;
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *web = &broker->processes[i];
        if (web->retire_by == 0 || !web->introduced) continue;
        reload->waits[i] = true;
        enum err err = web_trust(broker, web, reload->trust);
        if (err != ERR_OK) reload->waits[i] = false;
        if (err == ERR_SYSTEM) process_give_up(broker, web, "the client CAs cannot be handed over");
    }
}

static void take_identity(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    if (!reload->identity.present) return;
    const struct identity spare = broker->identity;
    const struct msg settle = {.kind = MSG_KEYD_SETTLE, .keyd_settle = reload->identity.setup};
    broker->identity = reload->identity;
    reload->identity = (struct identity){.arena = spare.arena};
    servers_forget(&broker->servers);
    broker->servers = reload->servers;
    reload->servers = (struct servers){0};
    process_send(broker, broker_keyd(broker), &settle, NULL, 0);
}

/* The point of no return, and nothing on the way can fail. */
static void put_in_force(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    uint8_t anchor[LIMIT_CERTIFICATE];
    const struct bytes was = keyd_server_ca(broker, "");
    const size_t was_len = was.len;
    const struct resources *before = broker->resources;
    memcpy(anchor, was.data, was_len);
    generation_settle(broker, reload->next);
    reload->next = NULL;
    take_identity(broker);
    reload->stage = RELOAD_ENDS;
    const struct bytes now = keyd_server_ca(broker, "");
    if (broker_shim(broker) && !same_bytes(anchor, was_len, now.data, now.len)) {
        log_line("the server's certificate leads to another CA: the browser is started afresh");
        shim_launch(broker);
    }
    distrust(broker, before);
    check_done(broker);
}

/* ---- On the way there ------------------------------------------------------------------------------------------- */

static void start_workers(struct broker *broker)
{
    broker->reload.stage = RELOAD_STARTS;
    if (generation_start(broker, broker->reload.next) != ERR_OK)
        fail(broker, ERR_AGAIN,
             "workers of earlier configurations are still at work; ask again when they have finished");
}

static void ask_keyd(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    const struct setting *next = reload->next;
    const bool brings = next->resources.server.num > 0 || next->resources.num_servers > 0;
    const bool brought = broker->resources->server.num > 0 || broker->resources->num_servers > 0;
    if (!brings && !brought && next->config.tls.tls12 == broker->config->tls.tls12) {
        start_workers(broker);
        return;
    }
    reload->stage = RELOAD_KEYS;
    reload->setup = ++broker->last_id;
    keyd_set_up(broker, broker_keyd(broker), reload->setup, &next->config, &next->resources);
}

static void take_loaded(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    struct diag diag = {0};
    struct setting *next = calloc(1, sizeof *next);
    enum err err = next ? reload_read(next, broker, &diag) : diag_set(&diag, ERR_MEMORY, "no memory");
    close_loader(reload);
    if (err == ERR_OK && !broker->identity.present) {
        err = diag_set(&diag, ERR_AGAIN, "keyd has just ended, and is started anew; ask again");
        resources_close_content(&next->resources);
    }
    if (err != ERR_OK) {
        free(next);
        fail(broker, err, diag.text);
        return;
    }
    reload->next = next;
    ask_keyd(broker);
}

/* ---- The loader ------------------------------------------------------------------------------------------------- */

int reload_poll(const struct broker *broker)
{
    return broker->reload.stage == RELOAD_LOADS ? broker->reload.loader.fd : -1;
}

static enum err keep_file(struct reload *reload, const struct msg *msg, struct packet_extra *extra)
{
    if (reload->num_files == LIMIT_LOADED) return ERR_TOO_LARGE;
    struct opened *file = &reload->files[reload->num_files++];
    memcpy(file->path, msg->loaded.data, msg->loaded.len);
    file->path[msg->loaded.len] = '\0';
    file->fd = packet_extra_take(extra, 0);
    return ERR_OK;
}

/* One message; whether there may be more. */
static bool hear_one(struct broker *broker)
{
    struct msg msg;
    struct packet_extra extra;
    char text[LIMIT_TEXT + 1];
    enum err err = link_recv(&broker->reload.loader, &msg, &extra, broker->arena);
    if (err == ERR_AGAIN) return false;
    if (err == ERR_OK && msg.kind == MSG_LOADED) {
        err = keep_file(&broker->reload, &msg, &extra);
        packet_extra_close(&extra);
        if (err == ERR_OK) return true;
        fail(broker, ERR_TOO_LARGE, "the configuration names more files than are taken");
    } else if (err == ERR_OK && msg.kind == MSG_READY) {
        take_loaded(broker);
    } else if (err == ERR_OK && msg.kind == MSG_FAILED) {
        snprintf(text, sizeof text, "%s", msg.failed.text); /* the next message takes its place */
        fail(broker, (enum err)msg.failed.error, text);
    } else {
        fail(broker, ERR_SYSTEM,
             "the loader, which reads the files, ended before it was done; the lines above say more");
    }
    return false;
}

void reload_hear(struct broker *broker)
{
    for (unsigned i = 0; i < LIMIT_LOADED + 1 && hear_one(broker); i++) {
    }
}

static enum err start_loader(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    const struct msg order = {.kind = MSG_LOAD, .id = ++broker->last_id};
    int ends[2];
    reload->files = calloc(LIMIT_LOADED, sizeof *reload->files);
    if (!reload->files) return ERR_MEMORY;
    if (channel_pair(ends) != ERR_OK) return ERR_SYSTEM;
    AUTO_FD lower = ends[1];
    reload->loader = (struct link){.fd = ends[0], .role = LINK_BROKER_SPAWNER, .end = LINK_UPPER};
    return link_send(&broker->spawner.link, &order, &lower, 1);
}

void reload_begin(struct broker *broker, const struct reload_asker *asker)
{
    struct reload *reload = &broker->reload;
    if (reload->stage != RELOAD_NONE && !asker->has_ticket) {
        reload->again = true;
        reload->again_asker = *asker;
        return;
    }
    if (reload->stage != RELOAD_NONE || broker->stopping || !broker->ready) {
        refuse(broker, asker, "", ERR_AGAIN,
               broker->stopping ? "the broker is stopping"
               : broker->ready  ? "a reload is under way; ask again"
                                : "the system is still starting; ask again");
        return;
    }
    if (!reload->identity.arena) reload->identity.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    reload->stage = RELOAD_LOADS;
    reload->asker = *asker;
    reload->begun = clock_monotonic_ms();
    reload->deadline = reload->begun + DEADLINE_RELOAD_MS;
    enum err err = reload->identity.arena ? start_loader(broker) : ERR_MEMORY;
    if (err != ERR_OK) fail(broker, err, "no memory, or no channel, for a loader");
}

/* ---- What others say -------------------------------------------------------------------------------------------- */

bool reload_note_identity(struct broker *broker, const struct msg *msg)
{
    struct reload *reload = &broker->reload;
    const struct keyd_identity *value = &msg->keyd_identity;
    if (msg->id != reload->setup || reload->setup == 0) return false;
    if (reload->stage != RELOAD_KEYS) return true; /* it comes too late */
    if (broker->resources->with_browser && reload->next->resources.server.num > 0 && !keyd_is_for_the_browser(value)) {
        fail(broker, ERR_INPUT,
             "--server-certificate: the leaf is not for 'localhost', where the browser opens the page; have that name "
             "added");
        return true;
    }
    reload->identity.value = *value;
    struct codec_arena *spare = reload->identity.arena;
    reload->identity.arena = broker->arena;
    broker->arena = spare;
    reload->identity.setup = msg->id;
    reload->identity.present = true;
    servers_give_keyd(&reload->servers, broker, broker_keyd(broker), reload->next);
    if (servers_complete(&reload->servers)) start_workers(broker);
    return true;
}

bool reload_note_server(struct broker *broker, const struct msg *msg)
{
    struct servers *servers = &broker->reload.servers;
    if (!servers_are_asked(servers, msg)) return false;
    if (broker->reload.stage != RELOAD_KEYS) return true;
    const enum err err = servers_note_info(servers, msg);
    if (err == ERR_MEMORY) fail(broker, err, "no memory for what keyd says of the certificates");
    if (err == ERR_OK && servers_complete(servers)) start_workers(broker);
    return true;
}

static bool note_keyd_failed(struct broker *broker, const struct msg *msg)
{
    char text[LIMIT_TEXT + 1];
    const bool is_setup = broker->reload.setup != 0 && msg->id == broker->reload.setup;
    if (!is_setup && !servers_are_asked(&broker->reload.servers, msg)) return false;
    snprintf(text, sizeof text, "%s", msg->failed.text);
    if (broker->reload.stage == RELOAD_KEYS) fail(broker, (enum err)msg->failed.error, text);
    return true;
}

bool reload_note_failed(struct broker *broker, struct process *process, const struct msg *msg)
{
    struct reload *reload = &broker->reload;
    if (process->row->program == PROGRAM_KEYD) return note_keyd_failed(broker, msg);
    if (reload->stage != RELOAD_ENDS || msg->id != reload->trust) return false;
    /* Out of memory, perhaps: it must not go on with the old CAs. */
    process_give_up(broker, process, "it cannot take the new client CAs");
    return true;
}

void reload_note_ready(struct broker *broker)
{
    const struct reload *reload = &broker->reload;
    if (reload->stage == RELOAD_STARTS && generation_is_ready(broker, reload->next)) put_in_force(broker);
}

void reload_note_answer(struct broker *broker, const struct process *web, const struct msg *msg)
{
    struct reload *reload = &broker->reload;
    bool *waits = &reload->waits[web - broker->processes];
    if (reload->stage != RELOAD_ENDS || msg->id != reload->trust || !*waits) return;
    *waits = false;
    /* No worker has more, whatever it says. */
    reload->connections += msg->web_revoked < LIMIT_CONNECTIONS ? msg->web_revoked : LIMIT_CONNECTIONS;
    check_done(broker);
}

static void fail_worker(struct broker *broker, const struct process *web)
{
    char text[LIMIT_TEXT + 1];
    if (!web->failed) {
        fail(broker, ERR_SYSTEM, "a new worker ended before it was ready; the lines above say more");
        return;
    }
    snprintf(text, sizeof text, "%s", web->failed_text);
    fail(broker, web->failed_error, text);
}

void reload_note_web_gone(struct broker *broker, struct process *web)
{
    struct reload *reload = &broker->reload;
    if (reload->stage == RELOAD_STARTS && web->setting == reload->next) {
        fail_worker(broker, web);
    } else if (reload->stage == RELOAD_ENDS && reload->waits[web - broker->processes]) {
        reload->waits[web - broker->processes] = false;
        check_done(broker);
    }
}

void reload_note_keyd_gone(struct broker *broker)
{
    const enum reload_stage stage = broker->reload.stage;
    if (stage == RELOAD_KEYS || stage == RELOAD_STARTS)
        fail(broker, ERR_AGAIN, "keyd has just ended, and is started anew; ask again");
}

void reload_expire(struct broker *broker, uint64_t now)
{
    struct reload *reload = &broker->reload;
    if (reload->deadline == 0 || now < reload->deadline) return;
    reload->deadline = 0;
    if (reload->stage != RELOAD_ENDS) {
        fail(broker, ERR_TIMEOUT, "it was not done in time");
        return;
    }
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (reload->waits[i]) process_give_up(broker, &broker->processes[i], "it does not take new client CAs");
    }
}

void reload_stop(struct broker *broker)
{
    if (broker->reload.stage == RELOAD_LOADS || broker->reload.stage == RELOAD_KEYS ||
        broker->reload.stage == RELOAD_STARTS)
        fail(broker, ERR_AGAIN, "the broker is stopping");
}
