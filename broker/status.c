#include "broker/status.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"

struct status {
    struct system_status value;
    struct process_status processes[LIMIT_STATUS_PROCESSES];
    char namespaces[LIMIT_STATUS_PROCESSES][sizeof((struct procfs_process *)0)->namespaces];
    struct handle_status handles[LIMIT_STATUS_HANDLES];
    struct certificate_info certificates[LIMIT_CERTIFICATES];
};

/* With all names of all certificates a status might be longer than a packet. */
enum { SERVER_NAMES_SHOWN = 4 };

const struct system_status *status_value(const struct status *status)
{
    return &status->value;
}

void status_free(struct status *status)
{
    free(status);
}

/* Adds a row for the process; pid 0: it is down now. Returns its parent. */
static uint32_t add_process(struct status *status, const struct broker *broker, const char *name, uint32_t pid,
                            uint32_t restarts)
{
    struct procfs_process seen;
    if (status->value.num_processes == LIMIT_STATUS_PROCESSES) return 0;
    size_t at = status->value.num_processes++;
    struct process_status *row = &status->processes[at];
    *row = (struct process_status){.name = name, .restarts = restarts, .namespaces = ""};
    if (pid == 0 || procfs_read(&seen, &broker->procfs, (pid_t)pid) != ERR_OK) return 0;
    row->pid = pid;
    row->uid = seen.uid;
    row->seccomp_mode = seen.seccomp_mode;
    row->no_new_privs = seen.no_new_privs;
    row->resident_bytes = seen.resident_bytes;
    snprintf(status->namespaces[at], sizeof status->namespaces[at], "%s", seen.namespaces);
    row->namespaces = status->namespaces[at];
    return seen.parent;
}

/* Landlock cannot be seen from outside. A process that said READY, or sent its certificates, has it on, because it does
 * so after its sandbox, which fails closed; and it is as new as the kernel has it. */
static void note_landlock(struct status *status, const struct broker *broker)
{
    status->processes[status->value.num_processes - 1].landlock_abi = (uint32_t)broker->landlock_abi;
}

/* Whether the pid still stands for the process that was looked at. */
static bool still_there(const struct process *process)
{
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    return process->pidfd >= 0 && poll(&ended, 1, 0) == 0;
}

static void add_own_processes(struct status *status, const struct broker *broker)
{
    add_process(status, broker, "broker", (uint32_t)getpid(), 0);
    note_landlock(status, broker);
    add_process(status, broker, "spawner", (uint32_t)broker->spawner.pid, 0);
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        if (process->retired || status->value.num_processes == LIMIT_STATUS_PROCESSES) continue;
        add_process(status, broker, process->name, process->pid, life_restarts(&process->life));
        if (process->life.state == LIFE_RUNNING) note_landlock(status, broker);
        if (process->pid != 0 && !still_there(process)) {
            status->processes[status->value.num_processes - 1] = (struct process_status){
                .name = process->name, .restarts = life_restarts(&process->life), .namespaces = ""};
        }
    }
}

/* The browser, or its gateway, is known by the pid that keyd pinned the handle to; the launcher is its parent, the shim the
 * launcher's. */
static void add_browser(struct status *status, struct broker *broker)
{
    struct procfs_process seen;
    const struct process *shim = broker_shim(broker);
    const struct handle *handle = handles_find(&broker->handles, broker->browser.handle);
    if (!shim || !handle || handle->pinned_pid == 0) return;
    if (procfs_read(&seen, &broker->procfs, (pid_t)handle->pinned_pid) != ERR_OK) return;
    uint32_t launcher = seen.parent;
    if (procfs_read(&seen, &broker->procfs, (pid_t)launcher) != ERR_OK || seen.parent != shim->pid) return;
    add_process(status, broker, "browser-launcher", launcher, life_restarts(&shim->life));
    const char *name = handle->purpose == PURPOSE_GATEWAY ? "browser-gateway" : "browser";
    add_process(status, broker, name, handle->pinned_pid, life_restarts(&broker->browser.life));
}

size_t status_handles(struct handle_status *out, size_t max, struct handles *handles, uint64_t after)
{
    size_t num = 0;
    const uint64_t now = clock_monotonic_ms();
    for (const struct handle *handle = handles_above(handles, after); handle && num < max; handle = handle->next) {
        if (!handle_is_lent(handle)) continue;
        out[num++] = (struct handle_status){
            .handle = handle->id,
            .label = handle->label,
            .purpose = handle->purpose,
            .expires_in_s = handle->expires > now ? (handle->expires - now + 999) / 1000 : 0,
            .signatures = handle->signatures,
            .refusals = handle->refusals,
            .max_signatures = handle->max_signatures,
            .pinned_pid = handle->pinned_pid,
            .rate = handle->rate,
            .parent = handle->parent ? handle->parent->id : 0,
            .server = handle->server,
            .ca = handle->ca,
        };
    }
    return num;
}

static void add_handles(struct status *status, struct broker *broker)
{
    status->value.num_handles = status_handles(status->handles, LIMIT_STATUS_HANDLES, &broker->handles, 0);
    status->value.total_handles = (uint32_t)handles_lent(&broker->handles);
}

static void add_counters(struct system_status *value, const struct broker *broker)
{
    struct web_status web;
    web_counters(&web, broker);
    value->handshakes = web.handshakes;
    value->handshakes_failed = web.handshakes_failed;
    value->requests = web.requests;
    value->verdicts = web.verdicts;
    value->requests_refused = web.requests_refused;
    value->signatures = broker->retired_signatures + broker->keyd_counters.signatures;
    value->refusals = broker->retired_refusals + broker->keyd_counters.refusals;
    value->audit_records = broker->audit.log.records;
    /* Otherwise they are written before the broker waits again. */
    if (broker->audit.blocked) value->audit_pending = broker->audit.log.pending_len - broker->audit.log.pending_at;
    value->audit_lost = broker->audit.log.lost_all;
    value->audit_held = broker->audit.blocked && broker->audit.policy == AUDIT_REFUSE;
}

static void add_certificates(struct status *status, const struct broker *broker)
{
    struct system_status *value = &status->value;
    const struct keyd_identity *identity = &broker->identity.value;
    value->certificates = status->certificates;
    for (size_t i = 0; i < identity->num_certificates; i++)
        status->certificates[value->num_certificates++] = identity->certificates[i];
    for (size_t i = 0; i < broker->servers.num && value->num_certificates < LIMIT_CERTIFICATES; i++) {
        struct certificate_info *row = &status->certificates[value->num_certificates++];
        *row = *broker->servers.infos[i];
        if (row->num_names > SERVER_NAMES_SHOWN) row->num_names = SERVER_NAMES_SHOWN;
    }
}

struct status *status_collect(struct broker *broker)
{
    struct status *status = calloc(1, sizeof *status);
    if (!status) return NULL;
    struct system_status *value = &status->value;
    value->url = broker->resources->url;
    value->ready_ms = broker->ready_ms;
    value->mode = broker->resources->mode;
    value->processes = status->processes;
    value->handles = status->handles;
    add_own_processes(status, broker);
    add_browser(status, broker);
    add_handles(status, broker);
    add_counters(value, broker);
    if (broker->identity.present) {
        value->secret_memory = broker->identity.value.secret_memory;
        add_certificates(status, broker);
    }
    return status;
}
