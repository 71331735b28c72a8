#include "broker/watchdog.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

/* So late does the broker find out that time is up only if it did not run itself: the whole system was halted, or the machine
 * is at its limit. Then the others have not had their time either. */
enum { LATE_MS = 1000 };

/* A heartbeat that is missed is noticed half of it later. */
static uint32_t interval_ms(const struct broker *broker)
{
    const uint32_t half_ms = broker->config->heartbeat_s * 500;
    return half_ms > 0 && half_ms < WATCHDOG_INTERVAL_MS ? half_ms : WATCHDOG_INTERVAL_MS;
}

void watchdog_begin(struct broker *broker, uint64_t now)
{
    broker->watchdog = (struct watchdog){.deadline = now + interval_ms(broker)};
}

void watchdog_rest(struct broker *broker)
{
    broker->watchdog = (struct watchdog){0};
}

/* One that starts or stops has a deadline of its own. */
static bool is_to_answer(const struct process *process)
{
    return process->life.state == LIFE_RUNNING && process->link.fd >= 0;
}

static void ask_all(struct broker *broker, uint64_t now)
{
    struct watchdog *watchdog = &broker->watchdog;
    *watchdog = (struct watchdog){
        .deadline = now + DEADLINE_PONG_MS, .begun = now, .round = ++broker->last_id, .spawner_owes = true};
    const struct msg ping = {.kind = MSG_PING, .id = watchdog->round};
    process_tell_spawner(broker, &ping);
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        process->owes_pong = is_to_answer(process);
        if (process->owes_pong) process_send(broker, process, &ping, NULL, 0);
    }
}

static bool somebody_owes(const struct broker *broker)
{
    bool owes = broker->watchdog.spawner_owes;
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        owes |= process->owes_pong && is_to_answer(process);
    }
    return owes;
}

/* A page cannot ask where nobody answers, nor without a handle: that is taken away on purpose. */
static bool can_ask(struct broker *broker)
{
    bool can = broker->identity.present && broker->browser.life.state == LIFE_RUNNING && broker->browser.handle != 0;
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        if (!process->retired && !process->setting) can &= process->life.state == LIFE_RUNNING;
    }
    return can;
}

static void judge_browser(struct broker *broker, uint64_t now)
{
    struct browser *browser = &broker->browser;
    const uint64_t heartbeat_ms = UINT64_C(1000) * broker->config->heartbeat_s;
    if (heartbeat_ms == 0 || !can_ask(broker))
        browser->heard_at = 0;
    else if (browser->heard_at == 0)
        browser->heard_at = now;
    else if (now - browser->heard_at >= heartbeat_ms) {
        browser->heard_at = 0;
        shim_restart(broker, "its page has missed its heartbeat");
    }
}

static void end_round(struct broker *broker, uint64_t now)
{
    struct watchdog *watchdog = &broker->watchdog;
    const uint64_t next = watchdog->begun + interval_ms(broker);
    watchdog->round = 0;
    watchdog->deadline = next > now ? next : now + 1;
    judge_browser(broker, now);
}

static void judge(struct broker *broker)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (!process->owes_pong || !is_to_answer(process)) continue;
        process->owes_pong = false;
        process_give_up(broker, process, "it does not answer");
    }
    if (!broker->watchdog.spawner_owes) return;
    log_error("spawner does not answer pid=%d effect='the broker ends, and all that it started'",
              (int)broker->spawner.pid);
    broker->outcome = ERR_SYSTEM;
    broker->finished = true;
}

void watchdog_act(struct broker *broker, uint64_t now)
{
    struct watchdog *watchdog = &broker->watchdog;
    if (watchdog->deadline == 0 || now < watchdog->deadline) return;
    if (watchdog->round == 0) {
        if (now - watchdog->deadline > LATE_MS) broker->browser.heard_at = 0;
        ask_all(broker, now);
    } else if (now - watchdog->deadline > LATE_MS) {
        watchdog->deadline = now + DEADLINE_PONG_MS;
    } else {
        judge(broker);
        end_round(broker, now);
    }
}

void watchdog_note_pong(struct broker *broker, struct process *process, const struct msg *pong)
{
    struct watchdog *watchdog = &broker->watchdog;
    const uint64_t now = clock_monotonic_ms();
    if (watchdog->round == 0 || pong->id != watchdog->round) return;
    if (process) {
        if (pong->pong != process->browser_requests) broker->browser.heard_at = now;
        process->browser_requests = pong->pong;
        process->owes_pong = false;
    } else {
        watchdog->spawner_owes = false;
    }
    if (!somebody_owes(broker)) end_round(broker, now);
}
