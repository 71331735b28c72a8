/* Handles for the workers, with which they prove to applications that are elsewhere who they are: one for each worker and application. */
#include <stdio.h>

#include "base/auto.h"
#include "base/log.h"
#include "broker/broker.h"

/* The client's certificate, and what an operator has brought with it: of that the issuer, since keyd signs for no more. */
static size_t client_chain(struct bytes out[LIMIT_UPSTREAM_CHAIN], const struct broker *broker)
{
    const struct brought *client = &broker->resources->client;
    out[0] = broker->identity.value.client;
    if (client->num > 1) out[1] = client->chain[1];
    return client->num > 1 ? 2 : 1;
}

static void tell(struct broker *broker, struct process *web, size_t proxy, int handle, const char *reason)
{
    struct msg msg = {
        .kind = MSG_WEB_UPSTREAM,
        .web_upstream = {.proxy = (uint32_t)proxy,
                         .host = web_config(broker, web)->proxies[proxy].host,
                         .ca = web_resources(broker, web)->proxy_cas[proxy],
                         .reason = reason},
    };
    msg.web_upstream.num_chain = client_chain(msg.web_upstream.chain, broker);
    process_send(broker, web, &msg, &handle, handle >= 0 ? 1 : 0);
}

static const char *reason_of(enum err err)
{
    switch ((int)err) {
    case ERR_DENIED:
        return "the client certificate is revoked; start the broker with another one (--client-certificate, "
               "--client-key)";
    case ERR_TOO_LARGE: return "too many handles are out; revoke some, see broker handle list";
    default: return "the broker has no handle to lend; see what it logs";
    }
}

static void lend(struct broker *broker, struct process *web, size_t proxy)
{
    AUTO_FD handle = -1;
    char label[LIMIT_LABEL + 1];
    const struct upstream_place *place = &web_config(broker, web)->proxies[proxy];
    snprintf(label, sizeof label, "%.15s %.48s", web->name, place->prefix);
    const struct keyd_grant terms = {
        .purpose = PURPOSE_TLS_CLIENT,
        .label = label,
        .server = place->host,
        .ca = web_resources(broker, web)->proxy_cas[proxy],
    };
    if (broker->upstream_revoked[proxy]) {
        tell(broker, web, proxy, -1, "the handle for this application was revoked; restart the broker for a new one");
        return;
    }
    enum err err = keyd_grant(broker, &web->upstreams[proxy], &handle, &terms);
    if (err == ERR_AGAIN) return; /* there is another identity to come */
    if (err != ERR_OK) {
        tell(broker, web, proxy, -1, reason_of(err));
        return;
    }
    audit_granted(broker, web->upstreams[proxy], &terms, -1);
    tell(broker, web, proxy, handle, "");
}

void web_lend(struct broker *broker, struct process *web)
{
    for (size_t i = 0; i < web_config(broker, web)->num_proxies; i++) {
        if (web_config(broker, web)->proxies[i].tls) lend(broker, web, i);
    }
}

size_t web_lent(const struct broker *broker)
{
    size_t num = 0;
    for (size_t i = 0; i < broker->num_processes; i++) {
        for (size_t j = 0; j < LIMIT_PROXIES; j++) num += broker->processes[i].upstreams[j] != 0;
    }
    return num;
}

/* Where the grant is noted, and whose it is; NULL: nobody's. */
static uint64_t *find(struct broker *broker, uint64_t grant, struct process **out_web)
{
    for (size_t i = 0; i < broker->num_processes && grant != 0; i++) {
        *out_web = &broker->processes[i];
        for (size_t j = 0; j < LIMIT_PROXIES; j++) {
            if (broker->processes[i].upstreams[j] == grant) return &broker->processes[i].upstreams[j];
        }
    }
    return NULL;
}

/* Whoever revokes one of an application's handles means the application: the other workers lose theirs too, and no new one is
 * lent before there is a new keyd. */
static void revoke_others(struct broker *broker, size_t proxy)
{
    broker->upstream_revoked[proxy] = true;
    for (size_t i = 0; i < broker->num_processes; i++) {
        const uint64_t grant = broker->processes[i].upstreams[proxy];
        if (grant == 0) continue;
        audit_handle(broker, AUDIT_REVOKED, grant, "another worker's handle for the same application was revoked");
        keyd_revoke(broker, grant);
    }
}

void web_not_lent(struct broker *broker, uint64_t grant, enum refusal reason)
{
    char text[256];
    struct process *web;
    uint64_t *place = find(broker, grant, &web);
    if (!place || !broker->identity.present) return;
    const size_t proxy = (size_t)(place - web->upstreams);
    *place = 0;
    snprintf(text, sizeof text, "the handle for it is over: %s; restart the broker for a new one",
             refusal_text(reason));
    if (reason == REFUSAL_PARAMETERS)
        snprintf(text, sizeof text,
                 "keyd takes no handle for it: [proxy] ca is no CA's certificate, or too weak a one");
    if (process_is_up(web)) tell(broker, web, proxy, -1, text);
    if (reason == REFUSAL_REVOKED) revoke_others(broker, proxy);
}

void web_forget_lent(struct broker *broker, uint64_t grant)
{
    struct process *web;
    uint64_t *place = find(broker, grant, &web);
    if (place) *place = 0;
    for (size_t i = 0; i < broker->num_processes && grant == 0; i++) {
        for (size_t j = 0; j < LIMIT_PROXIES; j++) {
            broker->processes[i].upstreams[j] = 0;
            broker->upstream_revoked[j] = false;
        }
    }
}

void web_take_back(struct broker *broker, struct process *web)
{
    for (size_t i = 0; i < LIMIT_PROXIES; i++) {
        const uint64_t grant = web->upstreams[i];
        if (grant == 0) continue;
        audit_handle(broker, AUDIT_REVOKED, grant, "its process has ended");
        keyd_revoke(broker, grant);
        web->upstreams[i] = 0;
    }
}

struct process *web_of_lent(struct broker *broker, uint64_t grant)
{
    struct process *web;
    return find(broker, grant, &web) ? web : NULL;
}
