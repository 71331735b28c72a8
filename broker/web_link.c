/* What the broker and a web worker say to each other. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/generation.h"
#include "broker/memory_file.h"

const struct config *web_config(const struct broker *broker, const struct process *web)
{
    return web->setting ? &web->setting->config : broker->config;
}

const struct resources *web_resources(const struct broker *broker, const struct process *web)
{
    return web->setting ? &web->setting->resources : broker->resources;
}

/* A worker that is started for another configuration has the certificates that go with it. */
static const struct identity *identity_of(const struct broker *broker, const struct process *web)
{
    const struct reload *reload = &broker->reload;
    const bool is_next = web->setting && web->setting == reload->next && reload->identity.present;
    return is_next ? &reload->identity : &broker->identity;
}

void web_begin(struct broker *broker, struct process *web)
{
    const struct resources *resources = web_resources(broker, web);
    const struct config *config = web_config(broker, web);
    int fds[3];
    size_t num_fds = 0;
    if (resources->root >= 0) fds[num_fds++] = resources->root;
    if (resources->uploads >= 0) fds[num_fds++] = resources->uploads;
    if (resources->quota >= 0) fds[num_fds++] = resources->quota;
    struct msg msg = {
        .kind = MSG_WEB_SETUP,
        .web_setup =
            {
                .worker = web->instance,
                .has_root = resources->root >= 0,
                .has_uploads = resources->uploads >= 0,
                .max_upload_bytes = config->max_upload_bytes,
                .idle_timeout_ms = config->idle_timeout_ms,
                .tls12 = config->tls.tls12,
                .tls_groups = config->tls.groups,
                .tls_suites = config->tls.suites,
                .upload_quota = resources->quota >= 0 ? config->upload_quota : 0,
                .access_log = config->access_log,
                .limits = config->limits,
                .log_style = broker->log_style,
                .spa = config->spa,
                .immutable = config->immutable,
            },
    };
    for (size_t i = 0; i < config->num_headers; i++)
        msg.web_setup.headers[msg.web_setup.num_headers++] = config->headers[i];
    for (size_t i = 0; i < config->num_proxies; i++) {
        const struct upstream_place *place = &config->proxies[i];
        msg.web_setup.proxies[msg.web_setup.num_proxies++] = (struct web_proxy){place->prefix, place->text, place->tls};
    }
    for (size_t i = 0; i < config->num_streams; i++) {
        const struct stream_place *place = &config->streams[i];
        msg.web_setup.streams[msg.web_setup.num_streams++] = (struct web_stream){
            .address = resources->stream_addresses[i],
            .upstream = place->upstream,
            .idle_ms = place->idle_s > 0 ? place->idle_s * 1000 : DEADLINE_STREAM_IDLE_MS,
            .proxy_protocol = place->proxy_protocol,
        };
    }
    process_send(broker, web, &msg, fds, num_fds);
    access_log_tell(broker, web, 0);
    web_identify(broker, web);
}

static enum err write_all(int fd, const uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t wrote = pwrite(fd, data + at, len - at, (off_t)at);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return ERR_SYSTEM;
        at += (size_t)wrote;
    }
    return ERR_OK;
}

/* A file that only this worker reads, from its beginning, and that nobody can change. -1: the kernel refused. */
static int copy_file(const struct trust_files *trust, enum trust_kind kind)
{
    AUTO_FD fd = memory_file_new(kind == TRUST_CRL ? "crl" : "client-ca");
    const struct bytes text = trust_files_get(trust, kind);
    if (fd < 0 || write_all(fd, text.data, text.len) != ERR_OK) return -1;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) return -1;
    return auto_keep_fd(&fd);
}

static void offer(struct broker *broker, struct process *web, uint32_t slot)
{
    const struct resources *resources = broker->resources;
    static const enum service services[] = {SERVICE_HTTPS, SERVICE_HTTPS, SERVICE_ECHO, SERVICE_METRICS};
    const int fds[] = {resources->listener, broker->page_listener, resources->echo, broker->monitor.fd};
    const char *const addresses[] = {resources->listener_address, "browser", resources->echo_address, "metrics"};
    if (fds[slot] < 0 || !process_is_up(web)) return;
    const struct msg msg = {
        .kind = MSG_WEB_LISTEN,
        .web_listen =
            {
                .slot = slot,
                .service = services[slot],
                .mode = slot == SLOT_HOST      ? resources->mode
                        : slot == SLOT_METRICS ? TLS_MODE_OFF
                                               : TLS_MODE_MUTUAL,
                .address = addresses[slot],
                .browser = slot == SLOT_BROWSER,
            },
    };
    process_send(broker, web, &msg, &fds[slot], 1);
}

static void offer_stream(struct broker *broker, struct process *web, uint32_t stream)
{
    const struct msg msg = {
        .kind = MSG_WEB_LISTEN,
        .web_listen =
            {
                .slot = SLOT_STREAM + stream,
                .service = SERVICE_STREAM,
                .mode = TLS_MODE_MUTUAL,
                .address = broker->resources->stream_addresses[stream],
                .stream = stream,
            },
    };
    if (process_is_up(web)) process_send(broker, web, &msg, &broker->resources->streams[stream], 1);
}

void web_offer_all(struct broker *broker, struct process *web)
{
    offer(broker, web, SLOT_HOST);
    offer(broker, web, SLOT_BROWSER);
    offer(broker, web, SLOT_ECHO);
    offer(broker, web, SLOT_METRICS);
    for (uint32_t i = 0; i < broker->config->num_streams; i++) offer_stream(broker, web, i);
}

static void name_own_client(char out[2 * SHA256_DIGEST_LENGTH + 1], const struct broker *broker)
{
    const struct bytes client = broker->identity.value.client;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(client.data, client.len, digest);
    bytes_hex(out, (struct bytes){digest, sizeof digest});
}

/* keyd's own CA needs no list: its certificates are revoked here. One that an operator brought is like any other. */
static enum crl_rule crl_rule_of(const struct resources *resources)
{
    if (resources->trust.text[TRUST_CRL] == NULL) return CRL_RULE_NONE;
    return resources->client.num > 0 ? CRL_RULE_ALL_CAS : CRL_RULE_FILE_CAS;
}

/* Copies of the files that are configured, at most TRUST_NUM, as the workers want them. What was copied is out_fds' either way. */
static enum err copy_files(int *out_fds, size_t *num_fds, const struct trust_files *trust)
{
    for (enum trust_kind kind = 0; kind < TRUST_NUM; kind++) {
        if (trust->text[kind] == NULL) continue;
        const int fd = copy_file(trust, kind);
        if (fd < 0) return ERR_SYSTEM;
        out_fds[(*num_fds)++] = fd;
    }
    return ERR_OK;
}

static void close_all(const int *fds, size_t num_fds)
{
    for (size_t i = 0; i < num_fds; i++) close(fds[i]);
}

enum err web_trust(struct broker *broker, struct process *web, uint64_t id)
{
    char own_client[2 * SHA256_DIGEST_LENGTH + 1];
    if (!broker->identity.present || !web->introduced || !process_is_up(web)) return ERR_AGAIN;
    int files[TRUST_NUM];
    size_t num_files = 0;
    const struct trust_files *trust = &broker->resources->trust;
    if (copy_files(files, &num_files, trust) != ERR_OK) {
        close_all(files, num_files);
        return ERR_SYSTEM;
    }
    name_own_client(own_client, broker);
    const struct msg msg = {
        .kind = MSG_WEB_TRUST,
        .id = id,
        .web_trust =
            {
                .client_cas = {brought_issuer(&broker->resources->client, broker->identity.value.ca)},
                .num_client_cas = 1,
                .own_client = own_client,
                .crl_rule = crl_rule_of(broker->resources),
                .has_client_ca_file = trust->text[TRUST_CLIENT_CA] != NULL,
            },
    };
    process_send(broker, web, &msg, files, num_files);
    close_all(files, num_files);
    return ERR_OK;
}

static enum err send_identity(struct broker *broker, struct process *web, int channel)
{
    const struct keyd_identity *identity = &identity_of(broker, web)->value;
    const struct resources *resources = web_resources(broker, web);
    const struct brought *server = &resources->server;
    const struct trust_files *trust = &resources->trust;
    int fds[1 + TRUST_NUM] = {channel};
    size_t num_fds = 1;
    enum err err = copy_files(fds, &num_fds, trust);
    char own_client[2 * SHA256_DIGEST_LENGTH + 1];
    name_own_client(own_client, broker);
    struct msg msg = {
        .kind = MSG_WEB_IDENTITY,
        .id = ++broker->last_id,
        .web_identity =
            {
                .chain = {identity->server},
                .num_chain = 1,
                .client_cas = {brought_issuer(&resources->client, identity->ca)},
                .num_client_cas = 1,
                .has_client_ca_file = trust->text[TRUST_CLIENT_CA] != NULL,
                .own_client = own_client,
                .crl_rule = crl_rule_of(resources),
            },
    };
    servers_give_web(broker, web);
    msg.web_identity.num_servers = (uint32_t)web_resources(broker, web)->num_servers;
    for (size_t i = 0; i < server->num; i++) msg.web_identity.chain[i] = server->chain[i];
    if (server->num > 0) msg.web_identity.num_chain = server->num;
    msg.web_identity.ocsp = server->num > 0 ? resources->staples.server : identity->ocsp;
    if (server->num == 0 && identity->ocsp.len > 0) msg.web_identity.issuer = identity->ca;
    if (err == ERR_OK) process_send(broker, web, &msg, fds, num_fds);
    close_all(fds + 1, num_fds - 1);
    return err;
}

static void tell_expect(struct broker *broker, struct process *web)
{
    const struct msg msg = {.kind = MSG_WEB_EXPECT, .web_expect = broker->expecting};
    process_send(broker, web, &msg, NULL, 0);
}

void web_identify(struct broker *broker, struct process *web)
{
    AUTO_FD channel = -1;
    if (broker->browser.supplied_by != 0) return;
    if (!process_is_up(web) || !broker->identity.present || broker->stopping || web->retire_by != 0) return;
    const struct keyd_grant terms = {
        .purpose = web->row->grant, .label = web->name, .setup = identity_of(broker, web)->setup};
    enum err err = keyd_grant(broker, &web->grant, &channel, &terms);
    if (err != ERR_OK) {
        process_give_up(broker, web, "no channel to keyd");
        return;
    }
    audit_granted(broker, web->grant, &terms, -1);
    if (send_identity(broker, web, channel) != ERR_OK) {
        process_give_up(broker, web, "the client CAs cannot be handed over");
        return;
    }
    web_lend(broker, web);
    if (web->introduced) return;
    web->introduced = true;
    revocation_introduce(broker, web);
    tickets_tell(broker, web);
    if (broker->expecting) tell_expect(broker, web);
    if (!web->setting) web_offer_all(broker, web);
}

void web_identify_all(struct broker *broker)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].row->program == PROGRAM_WEB) web_identify(broker, &broker->processes[i]);
    }
}

void web_expect(struct broker *broker)
{
    const bool expect = handles_lent(&broker->handles) > web_lent(broker);
    if (expect == broker->expecting) return;
    broker->expecting = expect;
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (process->row->program == PROGRAM_WEB && process->introduced) tell_expect(broker, process);
    }
}

void web_offer(struct broker *broker, uint32_t slot)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (process->row->program == PROGRAM_WEB && process->introduced && !process->setting)
            offer(broker, process, slot);
    }
}

static void say_not_connected(struct broker *broker, struct process *web, uint64_t id, enum err err, const char *why)
{
    const struct msg msg = {
        .kind = MSG_WEB_CONNECTED,
        .id = id,
        .web_connected = {.error = (uint32_t)err, .reason = why},
    };
    process_send(broker, web, &msg, NULL, 0);
}

static struct process *worker_of(struct broker *broker, uint32_t instance)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (process->row->program == PROGRAM_WEB && !process->retired && process->instance == instance) return process;
    }
    return NULL;
}

void web_connects(struct broker *broker)
{
    struct connect_result result;
    while (connect_next(&broker->connects, &result, clock_monotonic_ms())) {
        AUTO_FD fd = result.fd;
        struct process *web = worker_of(broker, result.worker);
        const struct msg msg = {.kind = MSG_WEB_CONNECTED, .id = result.id};
        if (web == NULL) continue;
        if (fd >= 0)
            process_send(broker, web, &msg, &fd, 1);
        else
            say_not_connected(broker, web, result.id, ERR_SYSTEM, strerror(result.error));
    }
}

/* Says how many addresses there are to try; 0: it wants to nowhere that is configured. */
static size_t destination(const struct address **out, const struct broker *broker, const struct process *web,
                          const struct msg *msg)
{
    const struct config *config = web_config(broker, web);
    const uint32_t at = msg->kind == MSG_WEB_CONNECT_STREAM ? msg->web_connect_stream : msg->web_connect;
    if (at >= (msg->kind == MSG_WEB_CONNECT_STREAM ? config->num_streams : config->num_proxies)) return 0;
    if (msg->kind == MSG_WEB_CONNECT && config->proxies[at].tls) {
        const struct upstream_addresses *upstream = &web_resources(broker, web)->upstreams[at];
        *out = upstream->list;
        return upstream->num;
    }
    *out = msg->kind == MSG_WEB_CONNECT_STREAM ? &config->streams[at].address : &config->proxies[at].address;
    return 1;
}

static void connect_for(struct broker *broker, struct process *web, const struct msg *msg)
{
    const struct address *addresses = NULL;
    const size_t num = destination(&addresses, broker, web, msg);
    if (num == 0) {
        process_give_up(broker, web, "it wants a connection to nowhere");
        return;
    }
    enum err err = connect_begin(&broker->connects, web->instance, msg->id, addresses, num, clock_monotonic_ms());
    if (err != ERR_OK) {
        say_not_connected(broker, web, msg->id, err,
                          err == ERR_TOO_LARGE ? "too many connections at once" : strerror(errno));
        return;
    }
    web_connects(broker);
}

void web_answer(struct broker *broker, struct process *web, const struct msg *msg)
{
    if (msg->kind == MSG_READY) process_ready(broker, web);
    if (msg->kind == MSG_WEB_REVOKED) reload_note_answer(broker, web, msg);
    if (msg->kind == MSG_WEB_REVOKED) revocation_note_answer(broker, web, msg);
    if (msg->kind == MSG_DONE) access_log_note_answer(broker, web, msg);
    if (msg->kind == MSG_EXPLANATION) explain_note_answer(broker, web, msg);
    if (msg->kind == MSG_METRICS_QUERY) {
        web->metrics_wanted = true;
        control_begin_round(broker);
    }
    if (msg->kind == MSG_WEB_CONNECT || msg->kind == MSG_WEB_CONNECT_STREAM) connect_for(broker, web, msg);
    if (msg->kind == MSG_WEB_STATUS) {
        web->counters = msg->web_status;
        web->asked = false;
        control_check_round(broker);
    }
}

static void add_counters(struct web_status *sum, const struct web_status *counters)
{
    sum->handshakes += counters->handshakes;
    sum->handshakes_failed += counters->handshakes_failed;
    sum->requests += counters->requests;
    sum->requests_refused += counters->requests_refused;
    sum->echo_lines += counters->echo_lines;
    sum->access_lost += counters->access_lost;
    for (size_t i = 0; i < HANDSHAKE_FAILURES; i++) sum->failures[i] += counters->failures[i];
    for (size_t i = 0; i < CONNECTION_LIMITS; i++) sum->limited[i] += counters->limited[i];
    for (size_t i = 0; i < RESPONSE_CLASSES; i++) sum->responses[i] += counters->responses[i];
}

static uint64_t first_of(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void web_counters(struct web_status *out, const struct broker *broker)
{
    *out = broker->retired;
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        add_counters(out, &process->counters);
        out->connections += process->counters.connections;
        out->verdicts += process->counters.verdicts;
        if (process->retire_by != 0) continue; /* what it has is in force no more */
        out->crl_next_update = first_of(out->crl_next_update, process->counters.crl_next_update);
        out->ocsp_next_update = first_of(out->ocsp_next_update, process->counters.ocsp_next_update);
    }
}

void web_ended(struct broker *broker, struct process *web)
{
    add_counters(&broker->retired, &web->counters);
    web->counters = (struct web_status){0};
    connect_forget(&broker->connects, web->instance);
    web->introduced = false;
    web->asked = false;
    web->metrics_wanted = false;
    if (web->grant != 0) audit_handle(broker, AUDIT_REVOKED, web->grant, "its process has ended");
    audit_server_ends(broker, web->grant);
    if (web->grant != 0) keyd_revoke(broker, web->grant);
    web_take_back(broker, web);
    revocation_note_web_gone(broker, web);
    reload_note_web_gone(broker, web);
    explain_note_web_gone(broker, web);
    access_log_note_web_gone(broker, web);
    generation_note_gone(broker, web);
    control_check_round(broker);
}
