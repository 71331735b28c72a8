#include "broker/control_internal.h"

#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/listener.h"
#include "broker/metrics.h"
#include "broker/status.h"

void control_init(struct control *control, int listener, uid_t owner)
{
    *control = (struct control){.listener = listener, .owner = owner};
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        control->clients[i].link.fd = -1;
        control->clients[i].derived_end = -1;
    }
}

const char *control_peer_fault(int fd, uid_t owner, uint64_t host_cookie)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    uint64_t cookie;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof peer)
        return "nobody knows who it is";
    if (peer.uid != 0 && peer.uid != owner) return "neither root nor the user who started the broker";
    /* The accepted end is made in the namespace of the socket that connected. */
    if (listener_cookie(&cookie, fd) != ERR_OK || cookie != host_cookie) return "it is in another network namespace";
    return NULL;
}

static void drop(struct control_client *client)
{
    if (client->link.fd >= 0) close(client->link.fd);
    if (client->derived_end >= 0) close(client->derived_end); /* keyd sees that, and the handle ends */
    *client = (struct control_client){.link.fd = -1, .derived_end = -1};
}

void control_reply(struct control_client *client, const struct msg *msg, const int *fds, size_t num_fds)
{
    client->deadline = clock_monotonic_ms() + DEADLINE_CONTROL_MS;
    /* One that does not read its answers is not waited for. */
    if (link_send(&client->link, msg, fds, num_fds) != ERR_OK) drop(client);
}

void control_reply_failed(struct control_client *client, uint64_t id, enum err err, const char *text)
{
    const struct msg msg = {.kind = MSG_FAILED, .id = id, .failed = {.text = text, .error = (uint32_t)err}};
    control_reply(client, &msg, NULL, 0);
}

static void ask_processes(struct broker *broker)
{
    const struct msg query = {.kind = MSG_STATUS_QUERY, .id = ++broker->last_id};
    broker->control.round_ends = clock_monotonic_ms() + CONTROL_ROUND_MS;
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (process->row->program == PROGRAM_SHIM || process->life.state != LIFE_RUNNING || process->asked) continue;
        process->asked = true;
        process_send(broker, process, &query, NULL, 0);
    }
}

void control_begin_round(struct broker *broker)
{
    if (broker->control.round_ends == 0) ask_processes(broker);
    control_check_round(broker);
}

static void answer_waiting(struct broker *broker)
{
    struct status *status = status_collect(broker);
    broker->control.round_ends = 0;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        struct control_client *client = &broker->control.clients[i];
        if (client->link.fd < 0 || !client->waits) continue;
        client->waits = false;
        if (!status) {
            control_reply_failed(client, client->id, ERR_MEMORY, "no memory for the status");
            continue;
        }
        const struct msg msg = {.kind = MSG_SYSTEM_STATUS, .id = client->id, .system_status = *status_value(status)};
        control_reply(client, &msg, NULL, 0);
    }
    if (status) metrics_answer(broker, status_value(status));
    status_free(status);
}

void control_check_round(struct broker *broker)
{
    if (broker->control.round_ends == 0) return;
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        if (process->asked && process_is_up(process)) return;
    }
    answer_waiting(broker);
}

static void answer_status(struct broker *broker, struct control_client *client, uint64_t id)
{
    client->waits = true;
    client->id = id;
    client->deadline = clock_monotonic_ms() + DEADLINE_CONTROL_MS;
    control_begin_round(broker);
}

static void answer_ca(struct broker *broker, struct control_client *client, uint64_t id)
{
    if (!broker->identity.present) {
        control_reply_failed(client, id, ERR_AGAIN, "keyd has no CA now; it is being started, ask again");
        return;
    }
    const struct msg msg = {.kind = MSG_CA, .id = id, .ca = keyd_server_ca(broker, "")};
    control_reply(client, &msg, NULL, 0);
}

static void answer_audit(struct broker *broker, struct control_client *client, uint64_t id)
{
    char fingerprint[2 * AUDIT_HASH + 1];
    struct msg msg = {.kind = MSG_AUDIT_STATE, .id = id};
    audit_state(&broker->audit, &msg.audit_state, fingerprint);
    control_reply(client, &msg, NULL, 0);
}

static struct control_ticket ticket_of(const struct broker *broker, const struct control_client *client, uint64_t id)
{
    return (struct control_ticket){
        .place = (size_t)(client - broker->control.clients), .client = client->number, .id = id};
}

static void renew_browser(struct broker *broker, struct control_ticket ticket)
{
    enum err err = shim_renew(broker);
    const char *text = "keyd is not there now; it is being started, ask again";
    if (err == ERR_NOT_FOUND) text = "no browser is running; broker status shows what is";
    if (err == ERR_DENIED)
        text = "the client certificate is revoked, and there is no other; bring one and start afresh";
    if (err == ERR_TOO_LARGE) text = "there are as many handles as keyd has room for; revoke some";
    if (err == ERR_OK)
        control_done(broker, ticket, 0);
    else
        control_fail(broker, ticket, err, text);
}

static void answer_reload(struct broker *broker, struct control_client *client, uint64_t id)
{
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    struct reload_asker asker = {.has_ticket = true, .ticket = ticket_of(broker, client, id)};
    if (getsockopt(client->link.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0) {
        asker.pid = (uint32_t)peer.pid;
        asker.uid = peer.uid;
    }
    client->deadline = clock_monotonic_ms() + DEADLINE_RELOAD_MS + DEADLINE_CONTROL_MS;
    reload_begin(broker, &asker);
}

/* NULL: it is gone. */
static struct control_client *client_of(struct broker *broker, struct control_ticket ticket)
{
    struct control_client *client = &broker->control.clients[ticket.place];
    return client->link.fd >= 0 && client->number == ticket.client ? client : NULL;
}

void control_done(struct broker *broker, struct control_ticket ticket, uint64_t connections)
{
    struct control_client *client = client_of(broker, ticket);
    const struct msg done = {.kind = MSG_DONE, .id = ticket.id, .done = connections};
    if (client) control_reply(client, &done, NULL, 0);
}

void control_explain(struct broker *broker, struct control_ticket ticket, const struct explanation *explanation)
{
    struct control_client *client = client_of(broker, ticket);
    const struct msg msg = {.kind = MSG_EXPLANATION, .id = ticket.id, .explanation = *explanation};
    if (client) control_reply(client, &msg, NULL, 0);
}

void control_fail(struct broker *broker, struct control_ticket ticket, enum err err, const char *text)
{
    struct control_client *client = client_of(broker, ticket);
    if (client) control_reply_failed(client, ticket.id, err, text);
}

static void answer(struct broker *broker, struct control_client *client)
{
    struct msg msg;
    struct packet_extra extra;
    enum err err = link_recv(&client->link, &msg, &extra, broker->arena);
    if (err == ERR_AGAIN) return;
    if (err != ERR_OK) {
        if (err != ERR_CLOSED) log_line("control client cut error=%s", err_name(err));
        drop(client);
        return;
    }
    if (msg.kind == MSG_SYSTEM_STATUS_QUERY) answer_status(broker, client, msg.id);
    if (msg.kind == MSG_CA_QUERY) answer_ca(broker, client, msg.id);
    if (msg.kind == MSG_HANDLE_REVOKE) revocation_handle(broker, ticket_of(broker, client, msg.id), msg.handle_revoke);
    const struct control_ticket ticket = ticket_of(broker, client, msg.id);
    if (msg.kind == MSG_BROWSER_RENEW) renew_browser(broker, ticket);
    if (msg.kind == MSG_LOG_REOPEN) access_log_reopen(broker, &ticket);
    if (msg.kind == MSG_EXPLAIN_QUERY) explain_begin(broker, ticket, &msg.explain_query);
    if (msg.kind == MSG_RELOAD) answer_reload(broker, client, msg.id);
    if (msg.kind == MSG_CERTIFICATE_REVOKE)
        revocation_certificate(broker, ticket_of(broker, client, msg.id), msg.certificate_revoke);
    if (msg.kind == MSG_HANDLE_MINT) control_mint(broker, client, msg.id, &msg.handle_mint);
    if (msg.kind == MSG_HANDLE_RESTRICT) control_derive(broker, client, msg.id, &msg.handle_restrict);
    if (msg.kind == MSG_HANDLE_LIST_QUERY) control_list(broker, client, msg.id, msg.handle_list_query);
    if (msg.kind == MSG_AUDIT_QUERY) answer_audit(broker, client, msg.id);
    packet_extra_close(&extra);
}

static struct control_client *free_client(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        if (control->clients[i].link.fd < 0) return &control->clients[i];
    }
    return NULL;
}

static void accept_client(struct broker *broker)
{
    struct control_client *client = free_client(&broker->control);
    if (!client) return;
    AUTO_FD fd = accept4(broker->control.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const char *fault = control_peer_fault(fd, broker->control.owner, broker->host_cookie);
    if (fault) {
        log_line("control client refused reason='%s'", fault);
        return;
    }
    client->number = ++broker->control.last_number;
    client->link = (struct link){.fd = auto_keep_fd(&fd), .role = LINK_CONTROL, .end = LINK_UPPER};
    client->deadline = clock_monotonic_ms() + DEADLINE_CONTROL_MS;
}

/* The listener comes first and is not polled while every place is taken. */
size_t control_polls(const struct control *control, struct pollfd *out)
{
    size_t num = 1;
    bool room = false;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        room = room || control->clients[i].link.fd < 0;
        out[num++] = (struct pollfd){.fd = control->clients[i].link.fd, .events = POLLIN};
    }
    out[0] = (struct pollfd){.fd = room ? control->listener : -1, .events = POLLIN};
    return num;
}

void control_serve(struct broker *broker, const struct pollfd *polled, size_t num)
{
    for (size_t i = 1; i < num; i++) {
        struct control_client *client = &broker->control.clients[i - 1];
        if (polled[i].revents && client->link.fd == polled[i].fd) answer(broker, client);
    }
    if (polled[0].revents) accept_client(broker);
}

uint64_t control_deadline(const struct control *control)
{
    uint64_t next = control->round_ends;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        const struct control_client *client = &control->clients[i];
        if (client->link.fd >= 0 && (next == 0 || client->deadline < next)) next = client->deadline;
    }
    return next;
}

void control_expire(struct broker *broker, uint64_t now)
{
    struct control *control = &broker->control;
    if (control->round_ends != 0 && now >= control->round_ends) answer_waiting(broker);
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        struct control_client *client = &control->clients[i];
        if (client->link.fd >= 0 && now >= client->deadline) drop(client);
    }
}
