#include "broker/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

struct bytes reload_client_ca(const struct broker *broker)
{
    const struct reload *reload = &broker->reload;
    if (reload->client_ca) return (struct bytes){reload->client_ca, reload->client_ca_len};
    return (struct bytes){broker->resources->client_ca, broker->resources->client_ca_len};
}

/* It is over. What is in force stays. */
static void forget(struct reload *reload)
{
    free(reload->next);
    *reload = (struct reload){.client_ca = reload->client_ca, .client_ca_len = reload->client_ca_len};
}

static void fail(struct broker *broker, const struct control_ticket *ticket, enum err err, const char *text)
{
    log_error("reload failed reason=%s effect='all is as it was'", log_quote(text));
    if (ticket) control_fail(broker, *ticket, err, text);
}

static void fail_own(struct broker *broker, enum err err, const char *text)
{
    const struct control_ticket ticket = broker->reload.ticket;
    const bool has_ticket = broker->reload.has_ticket;
    forget(&broker->reload);
    fail(broker, has_ticket ? &ticket : NULL, err, text);
}

static void check_done(struct broker *broker)
{
    const struct reload *reload = &broker->reload;
    if (reload->id == 0 || reload->next) return;
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (reload->waits[i]) return;
    }
    log_line("reloaded client_ca=%s connections_closed=%llu", log_quote(broker->config->client_ca),
             (unsigned long long)reload->connections);
    if (reload->has_ticket) control_done(broker, reload->ticket, reload->connections);
    forget(&broker->reload);
}

static bool ask(struct broker *broker, struct process *web, struct bytes client_ca)
{
    bool *waits = &broker->reload.waits[web - broker->processes];
    if (web->row->program != PROGRAM_WEB || !web->introduced) return false;
    *waits = true;
    enum err err = web_trust(broker, web, broker->reload.id, client_ca);
    if (err != ERR_OK) *waits = false;
    if (err == ERR_SYSTEM) process_give_up(broker, web, "the client CAs cannot be handed over");
    return err == ERR_OK;
}

static void ask_judge(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    for (size_t i = 0; i < broker->num_processes && !reload->judge; i++) {
        if (ask(broker, &broker->processes[i], (struct bytes){reload->next, reload->next_len}))
            reload->judge = &broker->processes[i];
    }
    if (!reload->judge)
        fail_own(broker, ERR_AGAIN, "no worker runs that could look at the client CAs; they are started, ask again");
}

/* All of them, the judge too: keyd may have been replaced meanwhile, and it got the old CAs with the new identity. */
static void put_in_force(struct broker *broker)
{
    struct reload *reload = &broker->reload;
    if (!broker->identity.present) {
        fail_own(broker, ERR_AGAIN, "keyd has just ended, and is started anew; ask again");
        return;
    }
    free(reload->client_ca);
    reload->client_ca = reload->next;
    reload->client_ca_len = reload->next_len;
    reload->next = NULL;
    reload->judge = NULL;
    for (size_t i = 0; i < broker->num_processes; i++)
        (void)ask(broker, &broker->processes[i], reload_client_ca(broker));
    check_done(broker);
}

static const char *name_in_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void reload_begin(struct broker *broker, const struct control_ticket *ticket)
{
    struct reload *reload = &broker->reload;
    struct diag diag = {0};
    const char *const path = broker->config->client_ca;
    if (broker->resources->client_ca_dir < 0) {
        fail(broker, ticket, ERR_INPUT, "there is nothing to read again; --client-ca FILE is what can be replaced");
        return;
    }
    if (reload->id != 0 || broker->stopping) {
        fail(broker, ticket, ERR_AGAIN, "a reload is under way; ask again");
        return;
    }
    enum err err = resources_read_client_ca(&reload->next, &reload->next_len, broker->resources->client_ca_dir,
                                            name_in_directory(path), path, &diag);
    if (err != ERR_OK) {
        fail(broker, ticket, err, diag.text);
        return;
    }
    reload->id = ++broker->last_id;
    reload->deadline = clock_monotonic_ms() + DEADLINE_REVOKE_MS;
    reload->has_ticket = ticket != NULL;
    if (ticket) reload->ticket = *ticket;
    ask_judge(broker);
}

void reload_note_answer(struct broker *broker, const struct process *web, const struct msg *msg)
{
    struct reload *reload = &broker->reload;
    bool *waits = &reload->waits[web - broker->processes];
    if (reload->id == 0 || msg->id != reload->id || !*waits) return;
    *waits = false;
    reload->connections += msg->web_revoked;
    if (reload->next)
        put_in_force(broker);
    else
        check_done(broker);
}

bool reload_note_failed(struct broker *broker, struct process *process, const struct msg *msg)
{
    struct diag diag = {0};
    struct reload *reload = &broker->reload;
    if (reload->id == 0 || msg->id != reload->id || !reload->waits[process - broker->processes]) return false;
    reload->waits[process - broker->processes] = false;
    if (!reload->next) {
        /* Out of memory, perhaps: it must not go on with the old CAs. */
        process_give_up(broker, process, "it cannot take the new client CAs");
        check_done(broker);
        return true;
    }
    enum err err = diag_set(&diag, (enum err)msg->failed.error, "--client-ca '%s': %s", broker->config->client_ca,
                            msg->failed.text);
    fail_own(broker, err, diag.text);
    return true;
}

void reload_note_web_gone(struct broker *broker, const struct process *web)
{
    struct reload *reload = &broker->reload;
    if (reload->id == 0 || !reload->waits[web - broker->processes]) return;
    reload->waits[web - broker->processes] = false;
    if (reload->next)
        fail_own(broker, ERR_AGAIN, "the worker that looked at the client CAs has ended; ask again");
    else
        check_done(broker);
}

void reload_expire(struct broker *broker, uint64_t now)
{
    const struct reload *reload = &broker->reload;
    if (reload->deadline == 0 || now < reload->deadline) return;
    broker->reload.deadline = 0; /* their end, which the spawner reports, ends this */
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (reload->waits[i]) process_give_up(broker, &broker->processes[i], "it does not take new client CAs");
    }
}
