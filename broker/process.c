/* Processes: started through the spawner, listened to, given up, replaced. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

void process_init(struct process *process, enum program program, uint32_t instance)
{
    *process = (struct process){.row = topology_of(program), .instance = instance, .pidfd = -1};
    process->link.fd = -1;
    snprintf(process->name, sizeof process->name, program == PROGRAM_WEB ? "%s[%u]" : "%s", process->row->name,
             (unsigned)instance);
}

bool process_is_up(const struct process *process)
{
    return process->link.fd >= 0 && (process->life.state == LIFE_STARTING || process->life.state == LIFE_RUNNING);
}

struct process *broker_keyd(struct broker *broker)
{
    return &broker->processes[0];
}

struct process *broker_shim(struct broker *broker)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].row->program == PROGRAM_SHIM) return &broker->processes[i];
    }
    return NULL;
}

static void close_channel(struct process *process)
{
    if (process->link.fd >= 0) close(process->link.fd);
    process->link.fd = -1;
}

static void tell_spawner(struct broker *broker, const struct msg *msg, const int *fds, size_t num_fds)
{
    enum err err = link_send(&broker->spawner.link, msg, fds, num_fds);
    if (err == ERR_OK) return;
    log_error("spawner does not take orders error=%s", err_name(err));
    broker->outcome = ERR_SYSTEM;
    broker->finished = true;
}

void process_tell_spawner(struct broker *broker, const struct msg *msg)
{
    tell_spawner(broker, msg, NULL, 0);
}

void process_start(struct broker *broker, struct process *process)
{
    int ends[2];
    if (channel_pair(ends) != ERR_OK) {
        uint32_t wait = life_ended(&process->life, clock_monotonic_ms());
        log_error("%s not started error=%s retry_in_ms=%u", process->name, strerror(errno), (unsigned)wait);
        return;
    }
    process->link = (struct link){.fd = ends[0], .role = process->row->link, .end = LINK_UPPER};
    process->failed = process->introduced = process->asked = process->kill_when_born = process->owes_pong = false;
    process->counters = (struct web_status){0};
    process->browser_requests = 0;
    life_started(&process->life, clock_monotonic_ms());
    process->order = ++broker->last_id;
    const struct msg order = {
        .kind = MSG_SPAWN,
        .id = process->order,
        .spawn = {.program = process->row->program, .instance = process->instance},
    };
    tell_spawner(broker, &order, &ends[1], 1);
    close(ends[1]);
    switch (process->row->program) {
    case PROGRAM_KEYD: keyd_begin(broker, process); break;
    case PROGRAM_WEB: web_begin(broker, process); break;
    case PROGRAM_SHIM: shim_begin(broker, process); break;
    case PROGRAM_NONE:
    case PROGRAM_NUM: break; /* topology_of lets none of these be made */
    }
}

void process_kill(struct broker *broker, struct process *process)
{
    if (process->pid == 0) {
        process->kill_when_born = true;
        return;
    }
    const struct msg msg = {.kind = MSG_KILL, .kill = {.pid = process->pid, .signal = SIGKILL}};
    tell_spawner(broker, &msg, NULL, 0);
}

void process_give_up(struct broker *broker, struct process *process, const char *why)
{
    close_channel(process);
    if (life_doom(&process->life) != LIFE_KILL) return;
    log_error("%s given up pid=%u reason='%s'", process->name, (unsigned)process->pid, why);
    process_kill(broker, process);
}

void process_send(struct broker *broker, struct process *process, const struct msg *msg, const int *fds, size_t num_fds)
{
    if (process->link.fd < 0) return;
    enum err err = link_send(&process->link, msg, fds, num_fds);
    if (err == ERR_OK) return;
    /* Gone: its end will be reported with the cause. */
    if (err == ERR_CLOSED) return;
    process_give_up(broker, process, err == ERR_AGAIN ? "it does not read its channel" : err_name(err));
}

void process_ready(struct broker *broker, struct process *process)
{
    if (process->life.state != LIFE_STARTING) return;
    life_ready(&process->life, clock_monotonic_ms());
    if (broker->ready) log_line("%s ready pid=%u", process->name, (unsigned)process->pid);
    broker_check_ready(broker);
    reload_note_ready(broker);
}

/* A worker was given files without their names. */
static void name_file(struct process *process, const struct config *config, const char *text)
{
    char option[LIMIT_SERVER_SECTION + 32];
    const char *flag = option, *path;
    const char *rest = trust_files_blame(&flag, &path, config, text);
    if (!rest) rest = staple_files_blame(option, sizeof option, &path, config, text);
    if (rest) snprintf(process->failed_text, sizeof process->failed_text, "%s '%s'%s", flag, path, rest);
}

static void note_failed(const struct broker *broker, struct process *process, const struct failed *failed)
{
    process->failed = true;
    process->failed_error = (enum err)failed->error;
    snprintf(process->failed_text, sizeof process->failed_text, "%s", failed->text);
    if (process->row->program == PROGRAM_WEB) name_file(process, web_config(broker, process), failed->text);
}

static void dispatch(struct broker *broker, struct process *process, const struct msg *msg, struct packet_extra *extra)
{
    switch (process->row->program) {
    case PROGRAM_KEYD: keyd_answer(broker, process, msg); break;
    case PROGRAM_WEB: web_answer(broker, process, msg); break;
    case PROGRAM_SHIM: shim_answer(broker, process, msg, extra); break;
    case PROGRAM_NONE:
    case PROGRAM_NUM: break; /* topology_of lets none of these be made */
    }
}

/* One message; whether there may be more. */
static bool hear_one(struct broker *broker, struct process *process)
{
    struct msg msg;
    struct packet_extra extra;
    if (process->link.fd < 0) return false;
    enum err err = link_recv(&process->link, &msg, &extra, broker->arena);
    if (err == ERR_AGAIN) return false;
    if (err == ERR_CLOSED) {
        /* It ends, or it has closed its channel and is of no use any more. The spawner knows which. */
        close_channel(process);
        if (process->pid != 0 && process->life.state != LIFE_STOPPING) process_kill(broker, process);
        return false;
    }
    if (err != ERR_OK) {
        process_give_up(broker, process, "it sent what is no message of its channel");
        return false;
    }
    if (msg.kind == MSG_FAILED &&
        (reload_note_failed(broker, process, &msg) || servers_note_failed(broker, process, &msg))) {
        /* their own: the process goes on */
    } else if (msg.kind == MSG_FAILED) {
        note_failed(broker, process, &msg.failed);
    } else if (msg.kind == MSG_PONG) {
        watchdog_note_pong(broker, process, &msg);
    } else {
        dispatch(broker, process, &msg, &extra);
    }
    packet_extra_close(&extra);
    return true;
}

void process_hear(struct broker *broker, struct process *process, unsigned max)
{
    while (max > 0 && hear_one(broker, process)) max--;
}

void process_note_dead(struct process *process)
{
    close_channel(process);
}

static void describe_end(char *out, size_t out_len, uint32_t status)
{
    int code = (int)status;
    if (WIFSIGNALED(code)) {
        const char *name = sigabbrev_np(WTERMSIG(code));
        snprintf(out, out_len, "killed by signal %d (SIG%s)", WTERMSIG(code), name ? name : "?");
    } else {
        snprintf(out, out_len, "exit code %d", WEXITSTATUS(code));
    }
}

/* The first start-up is tried once: what keeps a system from coming up is for a person to see. */
static void fail_start(struct broker *broker, const struct process *process, const char *cause)
{
    enum err err = ERR_SYSTEM;
    if (process->failed) {
        size_t len = strlen(process->row->name);
        bool named = strncmp(process->failed_text, process->row->name, len) == 0;
        err = process->failed_error;
        log_open(process->name);
        log_error("%s", named && strncmp(process->failed_text + len, ": ", 2) == 0 ? process->failed_text + len + 2
                                                                                   : process->failed_text);
        log_open("broker");
    } else {
        log_error("%s ended before it was ready pid=%u cause='%s'; the lines above say more, or the kernel's log does",
                  process->name, (unsigned)process->pid, cause);
    }
    broker_stop(broker, err);
}

static void process_ended(struct broker *broker, struct process *process, uint32_t status)
{
    char cause[64];
    process_hear(broker, process, PROCESS_LAST_WORDS);
    close_channel(process);
    describe_end(cause, sizeof cause, status);
    audit_ended(broker, process->name, process->pid, cause);
    bool expected = broker->stopping || process->life.state == LIFE_STOPPING || process->retire_by != 0;
    uint32_t wait = life_ended(&process->life, clock_monotonic_ms());
    if (!broker->stopping && !broker->ready) {
        fail_start(broker, process, cause);
    } else if (!expected || (broker->stopping && status != 0)) {
        log_error("%s ended pid=%u cause='%s'%s%s restart_in_ms=%u", process->name, (unsigned)process->pid, cause,
                  process->failed ? " said=" : "", process->failed ? log_quote(process->failed_text) : "",
                  (unsigned)wait);
    }
    if (process->pidfd >= 0) close(process->pidfd);
    process->pidfd = -1;
    process->pid = 0;
    if (process->row->program == PROGRAM_KEYD) keyd_ended(broker);
    if (process->row->program == PROGRAM_WEB) web_ended(broker, process);
    if (process->row->program == PROGRAM_SHIM) shim_ended(broker);
}

static struct process *find_ordered(struct broker *broker, uint64_t order)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].order == order && broker->processes[i].pid == 0) return &broker->processes[i];
    }
    return NULL;
}

static void note_spawned(struct broker *broker, const struct msg *msg, struct packet_extra *extra)
{
    struct process *process = find_ordered(broker, msg->id);
    if (!process) return;
    process->pid = msg->spawned.pid;
    process->pidfd = packet_extra_take(extra, 0);
    audit_started(broker, process->name, process->pid);
    if (process->kill_when_born) process_kill(broker, process);
}

static void note_exited(struct broker *broker, const struct exited *exited)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].pid == exited->pid) {
            process_ended(broker, &broker->processes[i], exited->status);
            return;
        }
    }
}

static void note_not_spawned(struct broker *broker, const struct msg *msg)
{
    struct process *process = find_ordered(broker, msg->id);
    if (!process || msg->id == 0) return;
    note_failed(broker, process, &msg->failed);
    process_ended(broker, process, EXIT_SYSTEM << 8);
}

void process_answer_spawner(struct broker *broker)
{
    struct msg msg;
    struct packet_extra extra;
    enum err err = link_recv(&broker->spawner.link, &msg, &extra, broker->arena);
    if (err == ERR_AGAIN) return;
    if (err != ERR_OK) {
        log_error("spawner is gone, and all it started with it error=%s", err_name(err));
        broker->outcome = ERR_SYSTEM;
        broker->finished = true;
        return;
    }
    if (msg.kind == MSG_SPAWNED) note_spawned(broker, &msg, &extra);
    if (msg.kind == MSG_EXITED) note_exited(broker, &msg.exited);
    if (msg.kind == MSG_FAILED) note_not_spawned(broker, &msg);
    if (msg.kind == MSG_PONG) watchdog_note_pong(broker, NULL, &msg);
    packet_extra_close(&extra);
}
