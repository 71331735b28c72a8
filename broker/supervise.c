#include "broker/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* How long the spawner may take to end when nothing is left for it to do. */
#define SPAWNER_END_MS 300

/* And if it has to kill others first. */
#define SPAWNER_KILL_MS 50

/* What has not ended by then, although it was killed, does so when the spawner is killed; or never, and is left behind. */
#define STOP_LAST_MS 250u

/* A second signal to stop kills, unless it comes with the first. */
#define STOP_BREATH_MS 200

/* Rows of one poll: the spawner, the signals, a loader, each process's channel and pidfd, the control socket and its clients,
 * the connections that are being made. */
struct polls {
    struct pollfd rows[3 + 2 * LIMIT_PROCESSES + 1 + CONTROL_CLIENTS + CONNECT_MAX];
    size_t num_processes; /* a reload may add some before all rows are looked at */
    size_t num_control;
    size_t num_connects;
};

enum { POLL_SPAWNER, POLL_SIGNALS, POLL_LOADER, POLL_PROCESSES };

void broker_check_ready(struct broker *broker)
{
    if (broker->ready || broker->stopping) return;
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].life.state != LIFE_RUNNING) return;
    }
    broker->ready = true;
    broker->ready_ms = (uint32_t)(clock_monotonic_ms() - broker->begun);
    log_line("ready url=%s ready_ms=%u", broker->resources->url, (unsigned)broker->ready_ms);
    watchdog_begin(broker, clock_monotonic_ms());
}

static void tell_stop(struct broker *broker, struct process *process, enum life_after after, uint32_t grace_ms)
{
    const struct msg stop = {.kind = MSG_STOP};
    if (process_is_up(process)) process_send(broker, process, &stop, NULL, 0);
    life_stop(&process->life, after, clock_monotonic_ms(), grace_ms);
}

/* keyd stops last, so that handshakes that have begun can be finished. */
void broker_stop(struct broker *broker, enum err outcome)
{
    if (broker->stopping) return;
    broker->stopping = true;
    broker->outcome = outcome;
    broker->stop_by = clock_monotonic_ms() + DEADLINE_STOP_MS;
    watchdog_rest(broker);
    reload_stop(broker);
    for (size_t i = 1; i < broker->num_processes; i++) {
        tell_stop(broker, &broker->processes[i], LIFE_STAYS_DOWN, DEADLINE_STOP_MS);
    }
    resources_stop_listening(broker->resources);
}

static void go_on_stopping(struct broker *broker)
{
    struct process *keyd = broker_keyd(broker);
    uint64_t now = clock_monotonic_ms();
    if (now >= broker->stop_by + STOP_LAST_MS) {
        log_error("not everything has ended; all that is left is killed");
        broker->finished = true;
        return;
    }
    for (size_t i = 1; i < broker->num_processes; i++) {
        if (broker->processes[i].life.state != LIFE_DOWN) return;
    }
    uint32_t left = now + 100 < broker->stop_by ? (uint32_t)(broker->stop_by - now) : 100;
    if (!audit_close(broker, broker->outcome == ERR_OK ? "told to stop" : err_name(broker->outcome), now)) return;
    if (!keyd->life.final) tell_stop(broker, keyd, LIFE_STAYS_DOWN, left);
    if (keyd->life.state == LIFE_DOWN) broker->finished = true;
}

static void kill_all(struct broker *broker)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        broker->processes[i].life.final = true;
        if (life_doom(&broker->processes[i].life) == LIFE_KILL) process_kill(broker, &broker->processes[i]);
    }
}

static void take_signals(struct broker *broker)
{
    struct signalfd_siginfo info;
    while (read(broker->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1) {
            access_log_reopen(broker, NULL);
        } else if (broker->stopping) {
            /* Somebody has lost patience. But a terminal and timeout(1) may say the same thing twice in one breath. */
            if (clock_monotonic_ms() + DEADLINE_STOP_MS > broker->stop_by + STOP_BREATH_MS) kill_all(broker);
        } else if (info.ssi_signo == SIGHUP && info.ssi_code != SI_KERNEL) {
            reload_begin(broker, &(struct reload_asker){.pid = info.ssi_pid, .uid = info.ssi_uid});
        } else {
            /* The kernel's own SIGHUP says that the terminal is gone, and with it whoever started this there. */
            log_line("stopping signal=%u", (unsigned)info.ssi_signo);
            broker_stop(broker, ERR_OK);
        }
    }
}

static void act_on_process(struct broker *broker, struct process *process, uint64_t now)
{
    bool starting = process->life.state == LIFE_STARTING;
    switch (life_due(&process->life, now)) {
    case LIFE_START: process_start(broker, process); break;
    case LIFE_KILL:
        log_error("%s killed pid=%u reason='%s'", process->name, (unsigned)process->pid,
                  starting ? "not ready in time" : "did not stop in time");
        process_kill(broker, process);
        break;
    case LIFE_NOTHING: break;
    }
    if (process->retire_by == 0 || now < process->retire_by) return;
    process->retire_by = 0;
    process_give_up(broker, process, "it does not end, and others have its work");
}

static void act_on_browser(struct broker *broker, uint64_t now)
{
    struct life *life = &broker->browser.life;
    switch (life_due(life, now)) {
    case LIFE_START: shim_launch(broker); break;
    case LIFE_KILL: log_line("browser did not start in time restart_in_ms=%u", (unsigned)life_ended(life, now)); break;
    case LIFE_NOTHING: break;
    }
}

static void act_on_deadlines(struct broker *broker)
{
    uint64_t now = clock_monotonic_ms();
    struct handle *expired;
    for (size_t i = 0; i < broker->num_processes; i++) act_on_process(broker, &broker->processes[i], now);
    act_on_browser(broker, now);
    if (broker->browser.supplied_by != 0 && now >= broker->browser.supplied_by) shim_supplied(broker);
    while ((expired = handles_expired(&broker->handles, now))) {
        audit_handle(broker, AUDIT_EXPIRED, expired->id, "");
        keyd_revoke(broker, expired->id);
    }
    control_expire(broker, now);
    revocation_expire(broker, now);
    reload_expire(broker, now);
    explain_expire(broker, now);
    access_log_expire(broker, now);
    if (!broker->stopping) tickets_rotate(broker, now);
    if (broker->renew_at != 0 && now >= broker->renew_at && !broker->stopping) {
        broker->renew_at = 0;
        log_line("keyd is renewed: %s",
                 broker->renew_why ? broker->renew_why : "its certificates are two thirds through their life");
        broker->renew_why = NULL;
        tell_stop(broker, broker_keyd(broker), LIFE_COMES_BACK, DEADLINE_STOP_MS);
    }
    if (broker->stopping) go_on_stopping(broker);
    watchdog_act(broker, now);
    audit_step(broker, now);
}

static void earlier(uint64_t *next, uint64_t candidate)
{
    if (candidate != 0 && (*next == 0 || candidate < *next)) *next = candidate;
}

static int wait_ms(const struct broker *broker)
{
    uint64_t next = 0, now = clock_monotonic_ms();
    for (size_t i = 0; i < broker->num_processes; i++) {
        earlier(&next, broker->processes[i].life.deadline);
        earlier(&next, broker->processes[i].retire_by);
    }
    earlier(&next, broker->browser.life.deadline);
    earlier(&next, broker->browser.supplied_by);
    earlier(&next, handles_next_expiry(&broker->handles));
    earlier(&next, control_deadline(&broker->control));
    earlier(&next, broker->renew_at);
    earlier(&next, audit_deadline(&broker->audit));
    earlier(&next, revocation_deadline(broker));
    earlier(&next, connect_deadline(&broker->connects));
    earlier(&next, broker->reload.deadline);
    earlier(&next, explain_deadline(broker));
    earlier(&next, broker->access_log.deadline);
    earlier(&next, broker->watchdog.deadline);
    if (broker->stopping) earlier(&next, broker->stop_by + STOP_LAST_MS);
    if (!broker->stopping) earlier(&next, broker->tickets.rotate_at);
    if (next == 0) return -1;
    if (next <= now) return 0;
    return next - now < 3600000 ? (int)(next - now) : 3600000;
}

/* The row behind the processes'. */
static size_t control_row(const struct polls *polls)
{
    return POLL_PROCESSES + 2 * polls->num_processes;
}

/* A process whose channel is closed is waited for by the spawner's word alone. */
static void fill_polls(const struct broker *broker, struct polls *polls)
{
    struct pollfd *rows = polls->rows;
    polls->num_processes = broker->num_processes;
    rows[POLL_SPAWNER] = (struct pollfd){.fd = broker->spawner.link.fd, .events = POLLIN};
    rows[POLL_SIGNALS] = (struct pollfd){.fd = broker->signals, .events = POLLIN};
    rows[POLL_LOADER] = (struct pollfd){.fd = reload_poll(broker), .events = POLLIN};
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        bool open = process->link.fd >= 0;
        rows[POLL_PROCESSES + 2 * i] = (struct pollfd){.fd = process->link.fd, .events = POLLIN};
        rows[POLL_PROCESSES + 2 * i + 1] = (struct pollfd){.fd = open ? process->pidfd : -1, .events = POLLIN};
    }
    polls->num_control = control_polls(&broker->control, &rows[control_row(polls)]);
    polls->num_connects = connect_polls(&broker->connects, &rows[control_row(polls) + polls->num_control]);
}

static void serve_processes(struct broker *broker, const struct polls *polls)
{
    for (size_t i = 0; i < polls->num_processes; i++) {
        struct process *process = &broker->processes[i];
        const struct pollfd *channel = &polls->rows[POLL_PROCESSES + 2 * i];
        bool ended = polls->rows[POLL_PROCESSES + 2 * i + 1].revents != 0;
        /* Closed and given to somebody else meanwhile, perhaps: then it will be said again. */
        unsigned max = ended ? PROCESS_LAST_WORDS : PROCESS_AT_ONCE;
        if ((channel->revents || ended) && channel->fd == process->link.fd) process_hear(broker, process, max);
        if (ended) process_note_dead(process);
    }
}

static void serve(struct broker *broker, const struct polls *polls)
{
    if (polls->rows[POLL_SIGNALS].revents) take_signals(broker);
    if (polls->rows[POLL_LOADER].revents && polls->rows[POLL_LOADER].fd == reload_poll(broker)) reload_hear(broker);
    serve_processes(broker, polls);
    if (polls->rows[POLL_SPAWNER].revents) process_answer_spawner(broker);
    control_serve(broker, &polls->rows[control_row(polls)], polls->num_control);
    web_connects(broker);
}

static bool everything_is_down(const struct broker *broker)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (broker->processes[i].life.state != LIFE_DOWN) return false;
    }
    return true;
}

/* The spawner ends because its channel does, when it has seen out what is left. If it does not, the kernel ends it. */
static void end_spawner(struct broker *broker)
{
    struct pollfd ended = {.fd = broker->spawner.pidfd, .events = POLLIN};
    close(broker->spawner.link.fd);
    broker->spawner.link.fd = -1;
    const bool is_idle = everything_is_down(broker);
    if (poll(&ended, 1, is_idle ? SPAWNER_END_MS : SPAWNER_KILL_MS) != 1) {
        log_error("spawner does not end and is killed pid=%d", (int)broker->spawner.pid);
        spawner_pull(&broker->spawner);
        (void)poll(&ended, 1, SPAWNER_END_MS);
    }
    (void)waitpid(broker->spawner.pid, NULL, WNOHANG);
}

enum err supervise_run(struct broker *broker)
{
    struct polls polls;
    for (size_t i = 0; i < broker->num_processes; i++) process_start(broker, &broker->processes[i]);
    while (!broker->finished) {
        fill_polls(broker, &polls);
        nfds_t num = control_row(&polls) + polls.num_control + polls.num_connects;
        if (poll(polls.rows, num, wait_ms(broker)) < 0) {
            if (errno == EINTR) continue;
            log_error("poll: %s", strerror(errno));
            broker->outcome = ERR_SYSTEM;
            break;
        }
        serve(broker, &polls);
        act_on_deadlines(broker);
    }
    audit_finish(broker);
    end_spawner(broker);
    return broker->outcome;
}
