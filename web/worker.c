#include "web/worker.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/link.h"
#include "web/listener.h"
#include "web/monitor.h"
#include "web/signer.h"
#include "web/tickets.h"
#include "web/tls.h"

struct worker {
    struct link broker;
    struct codec_arena *arena;
    struct tls_terms tls;
    int exit_code;
    ev_io orders;
    ev_io commits; /* the site's finished uploads */
    ev_timer stop;
    struct conn_shared shared;
    struct proxy *proxy;     /* NULL: there are no applications */
    struct streams *streams; /* NULL: there are none */
    struct listeners listeners;
    struct monitor *monitor;
    struct tls_servers *servers; /* those of the next identity, as far as they have come; NULL: none */
    enum err servers_err;        /* what is wrong with one of them */
    struct diag servers_diag;
};

static void end_loop(struct worker *worker, int exit_code)
{
    worker->exit_code = exit_code;
    ev_break(worker->shared.loop, EVBREAK_ALL);
}

static void answer(struct worker *worker, const struct msg *msg)
{
    /* The broker reads whenever it can; if it has stopped, the end of the channel is next. */
    enum err err = link_send(&worker->broker, msg, NULL, 0);
    if (err != ERR_OK)
        log_error("answer to the broker lost kind=%s reason=%s", msg_kind_name(msg->kind), err_name(err));
}

static void answer_failed(struct worker *worker, uint64_t id, enum err error, const struct diag *diag)
{
    struct msg msg = {.kind = MSG_FAILED, .id = id, .failed = {.text = diag->text, .error = (uint32_t)error}};
    answer(worker, &msg);
    if (worker->shared.tls == NULL) end_loop(worker, err_exit_code(error));
}

/* What is wrong with it is said when the identity comes that it belongs to. */
static void take_server(struct worker *worker, const struct server_certificate *certificate)
{
    const struct tls_server server = {.number = certificate->number,
                                      .name = certificate->name,
                                      .chain = certificate->chain,
                                      .num_chain = certificate->num_chain,
                                      .ocsp = certificate->ocsp};
    if (worker->servers_err != ERR_OK) return;
    if (worker->servers == NULL) worker->servers = tls_servers_new();
    worker->servers_err = worker->servers != NULL
                              ? tls_servers_add(worker->servers, &server, &worker->tls, &worker->servers_diag)
                              : diag_set(&worker->servers_diag, ERR_MEMORY, "no memory");
}

/* Whether all of the identity's certificates have come, and are good. */
static enum err check_servers(const struct worker *worker, size_t wanted, struct diag *diag)
{
    const size_t num = worker->servers != NULL ? tls_servers_num(worker->servers) : 0;
    if (worker->servers_err != ERR_OK) return diag_set(diag, worker->servers_err, "%s", worker->servers_diag.text);
    if (num == wanted) return ERR_OK;
    return diag_set(diag, ERR_MALFORMED, "%zu server certificates came, and not %zu", num, wanted);
}

/* Nobody else would say so before its CA's clients do. */
static void log_old_crls(const struct worker *worker)
{
    const struct crls *crls = clients_crls(tls_clients(worker->shared.tls));
    char text[LIMIT_TEXT];
    size_t at = 0;
    while (crls != NULL && crls_out_of_date(text, sizeof text, &at, crls, (uint64_t)time(NULL)))
        log_line(
            "CRL out of date reason=%s effect='clients of that CA are refused' remedy='put the present one into the "
            "file of --crl and say broker reload'",
            log_quote(text));
}

/* Nobody else would say so before a client refuses the certificate, or is content without. */
static void log_missing_ocsp(const struct worker *worker)
{
    char text[LIMIT_TEXT];
    size_t at = 0;
    while (tls_servers_remark(text, sizeof text, &at, worker->shared.tls, (uint64_t)time(NULL)))
        log_warning("no OCSP response stapled reason=%s remedy='put the present one into the file of [keyd] "
                    "server_ocsp, or ocsp "
                    "of its [certificate], and say broker reload'",
                    log_quote(text));
}

/* The new context is for new connections. Handshakes that began under the last one fail at the signer, which has the
 * new key; connections that are open go on. */
static void take_identity(struct worker *worker, const struct msg *msg, struct packet_extra *extra)
{
    struct diag diag = {{0}};
    SSL_CTX *context;
    const struct web_identity *identity = &msg->web_identity;
    const struct clients_terms terms = {
        .cas = identity->client_cas,
        .num_cas = identity->num_client_cas,
        .client_ca_fd = identity->has_client_ca_file ? extra->fds[1] : -1,
        .crl_rule = identity->crl_rule,
        .crl_fd = identity->crl_rule != CRL_RULE_NONE ? extra->fds[identity->has_client_ca_file ? 2 : 1] : -1,
        .own_client = identity->own_client,
    };
    enum err err = check_servers(worker, identity->num_servers, &diag);
    if (err == ERR_OK) {
        err = tls_context_new(&context, identity, &worker->tls, worker->servers, &terms, &diag);
    } else {
        tls_servers_free(worker->servers);
    }
    worker->servers = NULL;
    worker->servers_err = ERR_OK;
    if (err != ERR_OK) {
        answer_failed(worker, msg->id, err, &diag);
        return;
    }
    SSL_CTX_free(worker->shared.tls);
    worker->shared.tls = context;
    signer_connect(worker->shared.signer, packet_extra_take(extra, 0));
    listeners_start(&worker->listeners);
    log_old_crls(worker);
    log_missing_ocsp(worker);
    answer(worker, &(struct msg){.kind = MSG_READY, .id = msg->id});
}

static void answer_status(struct worker *worker, uint64_t id)
{
    const struct conn_shared *shared = &worker->shared;
    const struct crls *crls = shared->tls != NULL ? clients_crls(tls_clients(shared->tls)) : NULL;
    struct http_site_counters http = http_site_counters(shared->site);
    struct msg msg = {.kind = MSG_WEB_STATUS, .id = id};
    msg.web_status = (struct web_status){
        .handshakes = shared->handshakes,
        .handshakes_failed = shared->handshakes_failed,
        .requests = http.requests,
        .requests_refused = http.requests_refused,
        .connections = shared->conns.num,
        .echo_lines = shared->echo_lines,
        .verdicts = verdicts_num(shared->log.verdicts),
        .access_lost = http.access_lost,
        .crl_next_update = crls != NULL ? crls_next_update(crls) : 0,
        .ocsp_next_update = shared->tls != NULL ? tls_servers_next_update(shared->tls) : 0,
    };
    memcpy(msg.web_status.limited, worker->listeners.limited, sizeof msg.web_status.limited);
    memcpy(msg.web_status.failures, shared->failures, sizeof shared->failures);
    memcpy(msg.web_status.responses, http.responses, sizeof http.responses);
    answer(worker, &msg);
}

/* http_site_set_counts */
static struct http_connection_counts read_counts(void *context)
{
    const struct conn_shared *shared = context;
    return (struct http_connection_counts){shared->conns.num, shared->handshakes, shared->handshakes_failed};
}

static void answer_ping(struct worker *worker, uint64_t id)
{
    const struct http_site_counters http = http_site_counters(worker->shared.site);
    answer(worker, &(struct msg){.kind = MSG_PONG, .id = id, .pong = http.browser_requests});
}

static void take_log(struct worker *worker, uint64_t id, int fd)
{
    http_site_set_log(worker->shared.site, fd);
    if (id != 0) answer(worker, &(struct msg){.kind = MSG_DONE, .id = id});
}

static void answer_explain(struct worker *worker, const struct msg *query)
{
    struct verdict verdicts[LIMIT_EXPLANATION];
    struct msg msg = {.kind = MSG_EXPLANATION, .id = query->id, .explanation = {.verdicts = verdicts}};
    msg.explanation.num_verdicts = verdicts_list(worker->shared.log.verdicts, verdicts, &query->explain_query);
    answer(worker, &msg);
}

/* proxy_host.connect. An order that does not get through is like a connection that does not: the request has a deadline. */
static void ask_connection(void *context, uint32_t route, uint64_t id)
{
    answer(context, &(struct msg){.kind = MSG_WEB_CONNECT, .id = id, .web_connect = route});
}

/* streams_host.connect */
static void ask_stream(void *context, uint32_t route, uint64_t id)
{
    answer(context, &(struct msg){.kind = MSG_WEB_CONNECT_STREAM, .id = id, .web_connect_stream = route});
}

/* streams_host.log_line */
static void log_stream(void *context, const char *line)
{
    struct worker *worker = context;
    http_site_log_line(worker->shared.site, line);
}

static void take_stream(struct worker *worker, const struct msg *msg, struct packet_extra *extra)
{
    if (worker->streams == NULL) return;
    if (msg->web_connected.error != ERR_OK)
        streams_not_connected(worker->streams, msg->id, msg->web_connected.reason);
    else
        streams_connected(worker->streams, msg->id, packet_extra_take(extra, 0));
}

static void take_connection(struct worker *worker, const struct msg *msg, struct packet_extra *extra)
{
    if ((msg->id & STREAM_ID_BIT) != 0) {
        take_stream(worker, msg, extra);
        return;
    }
    if (worker->proxy == NULL) return;
    if (msg->web_connected.error != ERR_OK)
        proxy_not_connected(worker->proxy, msg->id, msg->web_connected.reason);
    else
        proxy_connected(worker->proxy, msg->id, packet_extra_take(extra, 0));
}

static void take_upstream(struct worker *worker, const struct web_upstream *upstream, struct packet_extra *extra)
{
    static const uint8_t protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (worker->proxy == NULL) return;
    if (upstream->reason[0] != '\0') {
        proxy_deny(worker->proxy, upstream->proxy, upstream->reason);
        return;
    }
    struct tlsclient_config config = {
        .host = upstream->host,
        .ca = upstream->ca,
        .num_chain = upstream->num_chain,
        .protocols = protocols,
        .protocols_len = sizeof protocols,
        .foreign = true,
    };
    memcpy(config.chain, upstream->chain, sizeof config.chain);
    proxy_take_handle(worker->proxy, upstream->proxy, &config, packet_extra_take(extra, 0));
}

/* conn_shared.closed */
static void on_conn_closed(void *context)
{
    struct worker *worker = context;
    const struct conn_shared *shared = &worker->shared;
    if ((shared->retiring || shared->draining) && shared->conns.num == 0) end_loop(worker, 0);
}

static void take_revocation(struct worker *worker, const struct msg *msg)
{
    size_t ended;
    tickets_drop(worker->shared.tickets); /* the broker sends new keys right behind */
    enum err err = conn_revoke(&worker->shared, &ended, &msg->web_revoke);
    if (err != ERR_OK) {
        log_error("revocation not kept reason=%s effect='this worker stops'", err_name(err));
        end_loop(worker, EXIT_SYSTEM);
    } else if (msg->id != 0) {
        answer(worker, &(struct msg){.kind = MSG_WEB_REVOKED, .id = msg->id, .web_revoked = ended});
    }
}

/* All or nothing: the CAs are read before any of those that are in use is given up. */
static void take_trust(struct worker *worker, const struct msg *msg, const struct packet_extra *extra)
{
    struct diag diag = {{0}};
    struct clients *clients;
    const struct web_trust *trust = &msg->web_trust;
    const struct clients_terms terms = {
        .cas = trust->client_cas,
        .num_cas = trust->num_client_cas,
        .client_ca_fd = trust->has_client_ca_file ? extra->fds[0] : -1,
        .crl_rule = trust->crl_rule,
        .crl_fd = trust->crl_rule != CRL_RULE_NONE ? extra->fds[trust->has_client_ca_file ? 1 : 0] : -1,
        .own_client = trust->own_client,
    };
    enum err err = clients_new(&clients, &terms, &diag);
    if (err == ERR_OK) {
        err = tls_context_trust(worker->shared.tls, clients);
        if (err != ERR_OK) err = diag_set(&diag, err, "no memory");
    }
    if (err != ERR_OK) {
        answer_failed(worker, msg->id, err, &diag);
        return;
    }
    log_old_crls(worker);
    answer(worker,
           &(struct msg){.kind = MSG_WEB_REVOKED, .id = msg->id, .web_revoked = conn_distrust(&worker->shared)});
}

/* Without keys there is no resumption, and all goes on. */
static void take_tickets(struct worker *worker, int fd)
{
    enum err err = tickets_take(worker->shared.tickets, fd);
    if (err != ERR_OK) log_warning("ticket keys not taken reason=%s effect='no session is resumed'", err_name(err));
}

/* signer_on_bound */
static void on_bound(void *context, uint64_t number, const struct client_bound *client)
{
    struct worker *worker = context;
    conn_bound(&worker->shared, number, client);
}

/* signer_on_unbound */
static void on_unbound(void *context, uint64_t number, enum refusal refusal)
{
    struct worker *worker = context;
    conn_unbound(&worker->shared, number, refusal);
}

/* monitor_config.ask */
static void ask_metrics(void *context)
{
    answer(context, &(struct msg){.kind = MSG_METRICS_QUERY});
}

static void take_listener(struct worker *worker, const struct web_listen *listen, int fd)
{
    if (listen->service == SERVICE_METRICS)
        monitor_listen(worker->monitor, fd);
    else
        listeners_set(&worker->listeners, listen, fd);
}

static void begin_stop(struct worker *worker)
{
    if (worker->shared.draining) return;
    listeners_finish(&worker->listeners);
    monitor_close(worker->monitor);
    ev_timer_stop(worker->shared.loop, &worker->stop);
    ev_timer_set(&worker->stop, worker->shared.deadlines.shutdown_ms / 1e3, 0);
    ev_timer_start(worker->shared.loop, &worker->stop);
    conn_drain_all(&worker->shared);
    on_conn_closed(worker); /* there may have been none */
}

/* The listening sockets are others' too: what has not been accepted yet is theirs. */
static void begin_retire(struct worker *worker)
{
    if (worker->shared.draining || worker->shared.retiring) return;
    listeners_close(&worker->listeners);
    monitor_close(worker->monitor);
    ev_timer_set(&worker->stop, DEADLINE_RETIRE_MS / 1e3, 0);
    ev_timer_start(worker->shared.loop, &worker->stop);
    conn_retire_all(&worker->shared);
    on_conn_closed(worker);
}

static void on_stop_deadline(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    if (!worker->shared.draining) { /* it has been retiring for long enough */
        begin_stop(worker);
        return;
    }
    log_line("stopping: connections cut off count=%zu", worker->shared.conns.num);
    end_loop(worker, 0);
}

static bool is_ending(const struct worker *worker)
{
    return worker->shared.retiring || worker->shared.draining;
}

/* link_recv lets nothing through that is not in the rules for this end. */
static void obey(struct worker *worker, const struct msg *msg, struct packet_extra *extra)
{
    if (msg->kind == MSG_STATUS_QUERY)
        answer_status(worker, msg->id);
    else if (msg->kind == MSG_PING)
        answer_ping(worker, msg->id);
    else if (msg->kind == MSG_WEB_LOG)
        take_log(worker, msg->id, packet_extra_take(extra, 0));
    else if (msg->kind == MSG_EXPLAIN_QUERY)
        answer_explain(worker, msg);
    else if (msg->kind == MSG_STOP)
        begin_stop(worker);
    else if (msg->kind == MSG_WEB_RETIRE)
        begin_retire(worker);
    else if (msg->kind == MSG_WEB_EXPECT)
        worker->shared.expects = msg->web_expect;
    else if (msg->kind == MSG_WEB_TICKETS)
        take_tickets(worker, extra->fds[0]);
    else if (msg->kind == MSG_WEB_REVOKE)
        take_revocation(worker, msg);
    else if (msg->kind == MSG_WEB_CONNECTED)
        take_connection(worker, msg, extra);
    else if (msg->kind == MSG_WEB_UPSTREAM)
        take_upstream(worker, &msg->web_upstream, extra);
    else if (msg->kind == MSG_SERVER_CERTIFICATE)
        take_server(worker, &msg->server_certificate);
    else if (msg->kind == MSG_WEB_IDENTITY && !is_ending(worker))
        take_identity(worker, msg, extra);
    else if (msg->kind == MSG_WEB_LISTEN && !is_ending(worker))
        take_listener(worker, &msg->web_listen, packet_extra_take(extra, 0));
    else if (msg->kind == MSG_WEB_TRUST && worker->shared.tls != NULL)
        take_trust(worker, msg, extra);
    else if (msg->kind == MSG_METRICS)
        monitor_show(worker->monitor, &msg->metrics);
    packet_extra_close(extra);
}

/* All of them, and by the watcher's priority before whatever else the loop has found: a handshake that a handle's holder
 * begins after it was given the handle is not looked at before the word that handles are out (WEB_EXPECT), which the broker
 * sent before it gave the handle away. That word is then used when the server's flight is complete, a signature of keyd's
 * later. Who began before it had its handle may miss it; then keyd expects nothing, nothing is signed for a browser, and
 * web does not believe keyd's certificate without keyd's word. */
static void on_orders(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct worker *worker = watcher->data;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct msg msg;
        struct packet_extra extra;
        err = link_recv(&worker->broker, &msg, &extra, worker->arena);
        if (err == ERR_OK) obey(worker, &msg, &extra);
    }
    if (err == ERR_AGAIN) return;
    log_error("channel to the broker lost reason=%s", err_name(err));
    ev_io_stop(loop, watcher);
    end_loop(worker, err == ERR_CLOSED ? worker->exit_code : EXIT_SYSTEM);
}

static void on_commits(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *worker = watcher->data;
    http_site_complete(worker->shared.site);
}

static void init_watchers(struct worker *worker)
{
    ev_io_init(&worker->orders, on_orders, worker->broker.fd, EV_READ);
    ev_io_init(&worker->commits, on_commits, http_site_fd(worker->shared.site), EV_READ);
    ev_init(&worker->stop, on_stop_deadline);
    worker->orders.data = worker->commits.data = worker->stop.data = worker;
    ev_set_priority(&worker->orders, EV_MAXPRI); /* before connections that wait too: a revocation is to be at once */
    ev_io_start(worker->shared.loop, &worker->orders);
    if (worker->commits.fd >= 0) ev_io_start(worker->shared.loop, &worker->commits);
}

enum err worker_new(struct worker **out, const struct worker_config *config, struct diag *diag)
{
    *out = NULL;
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) return diag_set(diag, ERR_MEMORY, "worker: no memory");
    worker->broker = (struct link){.fd = config->broker_fd, .role = LINK_BROKER_WEB, .end = LINK_LOWER};
    worker->tls = config->tls;
    worker->arena = codec_arena_new(LIMIT_DECODE_ARENA);
    struct conn_shared *shared = &worker->shared;
    shared->site = config->site;
    http_site_set_counts(shared->site, read_counts, shared);
    shared->deadlines = config->deadlines;
    shared->closed = on_conn_closed;
    shared->context = worker;
    shared->tickets = tickets_new();
    shared->log.verdicts = verdicts_new();
    shared->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    if (shared->loop != NULL) shared->signer = signer_new(shared->loop, config->sign_ms);
    if (shared->tickets == NULL) {
        worker_free(worker);
        return diag_set(diag, ERR_SYSTEM, "worker: no memory can be locked for ticket keys; raise RLIMIT_MEMLOCK");
    }
    if (shared->loop != NULL) worker->monitor = monitor_new(shared->loop, ask_metrics, worker);
    if (worker->arena == NULL || shared->loop == NULL || shared->signer == NULL || worker->monitor == NULL ||
        shared->log.verdicts == NULL) {
        worker_free(worker);
        return diag_set(diag, ERR_SYSTEM, "worker: no memory, or no epoll descriptor, for the event loop");
    }
    if (config->proxy.num_routes > 0) {
        const struct proxy_host host = {.connect = ask_connection, .context = worker};
        worker->proxy = proxy_new(shared->loop, &config->proxy, &host);
        if (worker->proxy == NULL) {
            worker_free(worker);
            return diag_set(diag, ERR_MEMORY, "worker: no memory for the applications");
        }
        http_site_set_proxy(shared->site, worker->proxy);
        shared->keeps_leaf = true;
    }
    if (config->streams.num_routes > 0) {
        const struct streams_host host = {.connect = ask_stream, .log_line = log_stream, .context = worker};
        enum err err = streams_new(&worker->streams, shared->loop, &config->streams, &host);
        if (err != ERR_OK) {
            worker_free(worker);
            return diag_set(diag, err, "worker: no memory, or no random numbers, for the streams");
        }
        shared->streams = worker->streams;
        if (streams_want_leaf(worker->streams)) shared->keeps_leaf = true;
    }
    const struct web_limits *limits = &config->limits;
    if (limits->address_connections > 0 || limits->address_handshakes > 0) {
        shared->addresses = address_table_new(limits);
        if (shared->addresses == NULL) {
            worker_free(worker);
            return diag_set(diag, ERR_MEMORY, "worker: no memory");
        }
    }
    signer_on_bound(shared->signer, on_bound, worker);
    signer_on_unbound(shared->signer, on_unbound, worker);
    listeners_init(&worker->listeners, shared);
    worker->listeners.limits = config->limits;
    init_watchers(worker);
    *out = worker;
    return ERR_OK;
}

int worker_run(struct worker *worker)
{
    ev_run(worker->shared.loop, 0);
    return worker->exit_code;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL) return;
    struct conn_shared *shared = &worker->shared;
    if (worker->listeners.shared != NULL) listeners_close(&worker->listeners);
    monitor_free(worker->monitor);
    conn_free_all(shared);
    address_table_free(shared->addresses);
    proxy_free(worker->proxy);
    streams_free(worker->streams);
    signer_free(shared->signer);
    SSL_CTX_free(shared->tls);
    tls_servers_free(worker->servers);
    if (shared->loop != NULL) ev_loop_destroy(shared->loop);
    tickets_free(shared->tickets);
    verdicts_free(shared->log.verdicts);
    codec_arena_free(worker->arena);
    free(worker);
}
