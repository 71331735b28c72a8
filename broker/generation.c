#include "broker/generation.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"

/* A worker that is no more, and whose place may be taken. */
static bool is_vacant(const struct process *process)
{
    return process->row->program == PROGRAM_WEB && process->retired;
}

static struct process *vacant_place(struct broker *broker)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (is_vacant(&broker->processes[i])) return &broker->processes[i];
    }
    return broker->num_processes < LIMIT_PROCESSES ? &broker->processes[broker->num_processes++] : NULL;
}

/* The lowest number that no worker has. */
static uint32_t free_number(const struct broker *broker)
{
    bool taken[LIMIT_WORKER_NUMBERS] = {false};
    uint32_t number = 0;
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        if (process->row != NULL && process->row->program == PROGRAM_WEB && !process->retired)
            taken[process->instance] = true;
    }
    while (number < LIMIT_WORKER_NUMBERS && taken[number]) number++;
    return number;
}

struct process *generation_add(struct broker *broker)
{
    const uint32_t number = free_number(broker);
    struct process *process = number < LIMIT_WORKER_NUMBERS ? vacant_place(broker) : NULL;
    if (process) process_init(process, PROGRAM_WEB, number);
    return process;
}

enum err generation_start(struct broker *broker, struct setting *setting)
{
    const uint32_t num = setting->config.workers > 0 ? setting->config.workers : broker->cpus;
    for (uint32_t i = 0; i < num; i++) {
        struct process *web = generation_add(broker);
        if (!web) return ERR_AGAIN;
        web->setting = setting;
        web->life.final = true; /* for one that fails now there is no other */
        process_start(broker, web);
    }
    return ERR_OK;
}

static bool is_of(const struct process *process, const struct setting *setting)
{
    return process->row->program == PROGRAM_WEB && !process->retired && process->setting == setting;
}

bool generation_is_ready(const struct broker *broker, const struct setting *setting)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        const struct process *process = &broker->processes[i];
        if (is_of(process, setting) && process->life.state != LIFE_RUNNING) return false;
    }
    return true;
}

void generation_end(struct broker *broker, struct setting *setting)
{
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (is_of(process, setting)) process_give_up(broker, process, "its configuration is not taken");
    }
}

static void retire(struct broker *broker, struct process *web, struct setting *setting)
{
    const struct msg msg = {.kind = MSG_WEB_RETIRE};
    web->setting = setting;
    web->life.final = true;
    if (web->life.state == LIFE_BACKING_OFF) {
        life_reset(&web->life);
        web->retired = true;
        return;
    }
    web->retire_by = clock_monotonic_ms() + DEADLINE_RETIRE_MS + DEADLINE_STOP_MS;
    process_send(broker, web, &msg, NULL, 0);
}

/* The new ones accept before the old ones leave off. */
void generation_settle(struct broker *broker, struct setting *setting)
{
    struct setting *old = broker->setting;
    bool is_old[LIMIT_PROCESSES];
    for (size_t i = 0; i < broker->num_processes; i++) is_old[i] = is_of(&broker->processes[i], NULL);
    setting->next = old;
    broker->setting = setting;
    broker->config = &setting->config;
    broker->resources = &setting->resources;
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (!is_of(process, setting)) continue;
        process->setting = NULL;
        process->life.final = false;
        web_offer_all(broker, process);
    }
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (is_old[i]) retire(broker, &broker->processes[i], old);
    }
}

static bool is_used(const struct broker *broker, const struct setting *setting)
{
    if (setting == broker->setting || setting == broker->reload.next) return true;
    for (size_t i = 0; i < broker->num_processes; i++) {
        if (is_of(&broker->processes[i], setting)) return true;
    }
    return false;
}

/* The first one is none's to free but its content. */
static void let_go(struct broker *broker, struct setting *setting)
{
    resources_close_content(&setting->resources);
    if (setting != broker->first_setting) free(setting);
}

void generation_sweep(struct broker *broker)
{
    for (struct setting **at = &broker->setting; *at;) {
        struct setting *setting = *at;
        if (is_used(broker, setting)) {
            at = &setting->next;
        } else {
            *at = setting->next;
            let_go(broker, setting);
        }
    }
}

void generation_note_gone(struct broker *broker, struct process *web)
{
    if (!web->life.final || broker->stopping) return;
    web->retired = true;
    web->retire_by = 0;
    web->setting = NULL;
    generation_sweep(broker);
}
