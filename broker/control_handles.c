/* What the control socket's clients may do with handles. */
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/control_internal.h"
#include "broker/status.h"

/* The process that asks, as the kernel names it (SO_PEERCRED, unix(7)). 0: it has no number here. */
static uint32_t pid_of(const struct control_client *client)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(client->link.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.pid <= 0) return 0;
    return (uint32_t)peer.pid;
}

/* Fills in whom a handle is for. False: for nobody, which was said. */
static bool pin(struct keyd_grant *terms, struct control_client *client, uint64_t id)
{
    terms->pid = pid_of(client);
    if (terms->pid != 0) return true;
    control_reply_failed(client, id, ERR_INPUT,
                         "the handle cannot be pinned: the process that asks has no number here; ask from the "
                         "broker's own process namespace, or for a handle that is not pinned");
    return false;
}

/* Asks keyd for a channel; why it did not come to that was said. */
static bool grant(struct broker *broker, struct control_client *client, uint64_t id, uint64_t *out_handle, int *out_end,
                  const struct keyd_grant *terms)
{
    char text[160];
    /* Of whatever purpose: the rest is for the web workers and the browser. */
    const bool full = handles_lent(&broker->handles) >= HANDLES_MINTED_MAX;
    const enum err err = full ? ERR_TOO_LARGE : keyd_grant(broker, out_handle, out_end, terms);
    if (err == ERR_OK) audit_granted(broker, *out_handle, terms, client->link.fd);
    if (err == ERR_OK) return true;
    if (err == ERR_AGAIN) {
        control_reply_failed(client, id, err, "keyd is not there now; it is being started, ask again");
        return false;
    }
    if (err == ERR_DENIED) {
        control_reply_failed(client, id, err,
                             "the client certificate is revoked; start the broker with another one "
                             "(--client-certificate, --client-key)");
        return false;
    }
    const bool files = broker->max_handles < HANDLES_MINTED_MAX;
    snprintf(text, sizeof text, "too many handles are out: %zu of %zu%s; revoke some, see broker handle list",
             handles_lent(&broker->handles), files ? broker->max_handles : (size_t)HANDLES_MINTED_MAX,
             files ? ", which is what keyd may have open (ulimit -Hn)" : "");
    control_reply_failed(client, id, err, text);
    return false;
}

static void reply_minted(struct broker *broker, struct control_client *client, uint64_t id, uint64_t handle, int end)
{
    const struct keyd_identity *identity = &broker->identity.value;
    const char *server = handles_find(&broker->handles, handle)->server;
    const struct msg msg = {
        .kind = MSG_HANDLE_MINTED,
        .id = id,
        .handle_minted = {.handle = handle, .client = identity->client, .ca = keyd_server_ca(broker, server)},
    };
    control_reply(client, &msg, &end, 1);
}

/* One that signs what keyd foretold is for our own server, whatever its name; any other for the one that it names. False: that
 * was said. */
static bool names_its_server(struct control_client *client, uint64_t id, const struct handle_mint *mint)
{
    if (mint->digests && (mint->server[0] != '\0' || mint->ca.len > 0)) {
        control_reply_failed(client, id, ERR_INPUT,
                             "a handle that signs digests is for this system's own server alone; name neither a server "
                             "nor a CA");
        return false;
    }
    if (mint->digests || mint->server[0] != '\0') return true;
    control_reply_failed(client, id, ERR_INPUT, "a handle is for one server; name it");
    return false;
}

void control_mint(struct broker *broker, struct control_client *client, uint64_t id, const struct handle_mint *mint)
{
    AUTO_FD end = -1;
    uint64_t handle;
    if (!names_its_server(client, id, mint)) return;
    struct keyd_grant terms = {
        .purpose = mint->digests ? PURPOSE_BROWSER_DIGEST : PURPOSE_TLS_CLIENT,
        .label = mint->label,
        .lifetime_s = mint->lifetime_s,
        .max_signatures = mint->max_signatures,
        .server = mint->server,
        .rate = mint->rate != 0 ? mint->rate : HANDLE_RATE,
        .ca = mint->ca,
    };
    if (mint->pinned && !pin(&terms, client, id)) return;
    if (!grant(broker, client, id, &handle, &end, &terms)) return;
    /* Loudly: for a foreign server nothing stands but the operator's word. */
    const char *ca = handles_find(&broker->handles, handle)->ca;
    log_line("handle minted%s id=%llu label=%s server=%s purpose=%s lifetime_s=%u%s%s",
             ca[0] ? " FOR A FOREIGN SERVER" : "", (unsigned long long)handle, log_quote(mint->label),
             log_quote(mint->server), purpose_name(terms.purpose), (unsigned)mint->lifetime_s,
             ca[0] ? " ca_pinned=" : "", ca);
    reply_minted(broker, client, id, handle, end);
}

/* ---- Derived handles -------------------------------------------------------------------------------------------- */

/* The parent, if it is one that anything may be derived from and there is nothing else in the way; otherwise that was
 * said. */
static const struct handle *find_parent(struct broker *broker, struct control_client *client, uint64_t id,
                                        uint64_t number)
{
    char text[160];
    const struct handle *parent = handles_find(&broker->handles, number);
    if (client->derived != 0) {
        control_reply_failed(client, id, ERR_AGAIN, "a handle is being made for this connection; wait for it");
        return NULL;
    }
    if (!parent || !handle_is_lent(parent)) {
        snprintf(text, sizeof text, "handle %llu: there is none; broker handle list shows them",
                 (unsigned long long)number);
        control_reply_failed(client, id, ERR_NOT_FOUND, text);
        return NULL;
    }
    if (handle_depth(parent) >= LIMIT_GRANT_DEPTH) {
        snprintf(text, sizeof text,
                 "handle %llu has %u above it, which is as deep as it goes; derive from one of those",
                 (unsigned long long)number, LIMIT_GRANT_DEPTH);
        control_reply_failed(client, id, ERR_INPUT, text);
        return NULL;
    }
    return parent;
}

void control_derive(struct broker *broker, struct control_client *client, uint64_t id,
                    const struct handle_restrict *wanted)
{
    const struct handle *parent = find_parent(broker, client, id, wanted->parent);
    if (!parent) return;
    struct keyd_grant terms = {
        .purpose = parent->purpose,
        .label = wanted->label[0] ? wanted->label : parent->label,
        .lifetime_s = wanted->lifetime_s,
        .max_signatures = wanted->max_signatures,
        .server = wanted->server,
        .rate = wanted->rate,
        .parent = parent->id,
    };
    if (wanted->pinned && !pin(&terms, client, id)) return;
    if (!grant(broker, client, id, &client->derived, &client->derived_end, &terms)) return;
    client->derived_id = id;
    client->deadline = clock_monotonic_ms() + DEADLINE_CONTROL_MS;
}

static struct control_client *find_waiting(struct broker *broker, uint64_t handle)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        if (broker->control.clients[i].derived == handle) return &broker->control.clients[i];
    }
    return NULL;
}

/* The descriptor is the caller's. */
static int end_waiting(struct control_client *client)
{
    const int end = client->derived_end;
    client->derived = 0;
    client->derived_end = -1;
    return end;
}

void control_opened(struct broker *broker, uint64_t handle)
{
    struct control_client *client = find_waiting(broker, handle);
    const struct handle *row = handles_find(&broker->handles, handle);
    if (!client || !row) return;
    AUTO_FD end = end_waiting(client);
    log_line("handle derived id=%llu from=%llu label=%s", (unsigned long long)handle,
             (unsigned long long)(row->parent ? row->parent->id : 0), log_quote(row->label));
    reply_minted(broker, client, client->derived_id, handle, end);
}

void control_not_opened(struct broker *broker, uint64_t handle, enum refusal reason)
{
    char text[256];
    struct control_client *client = find_waiting(broker, handle);
    if (!client) return;
    close(end_waiting(client));
    const bool stronger = reason == REFUSAL_STRONGER;
    log_line("handle not derived id=%llu reason=%s", (unsigned long long)handle, log_quote(refusal_text(reason)));
    snprintf(text, sizeof text, "no handle was derived: %s%s",
             reason == REFUSAL_NONE || reason == REFUSAL_PARAMETERS ? "the one it would come from is gone"
                                                                    : refusal_text(reason),
             stronger
                 ? "; ask for no later end, no more or faster signatures, no other server and no other process than "
                   "that one has, see broker handle list"
                 : "");
    control_reply_failed(client, client->derived_id, stronger ? ERR_INPUT : ERR_DENIED, text);
}

void control_none_opened(struct broker *broker)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        struct control_client *client = &broker->control.clients[i];
        if (client->derived == 0) continue;
        close(end_waiting(client));
        control_reply_failed(client, client->derived_id, ERR_AGAIN, "keyd has ended; it is being started, ask again");
    }
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

void control_list(struct broker *broker, struct control_client *client, uint64_t id, uint64_t after)
{
    struct handle_status rows[LIMIT_HANDLE_PAGE];
    const struct msg msg = {
        .kind = MSG_HANDLE_LIST,
        .id = id,
        .handle_list =
            {
                .handles = rows,
                .num_handles = status_handles(rows, LIMIT_HANDLE_PAGE, &broker->handles, after),
                .total = (uint32_t)handles_lent(&broker->handles),
            },
    };
    control_reply(client, &msg, NULL, 0);
}
