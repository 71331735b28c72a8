/* METRICS: who asked gets the numbers of the round that control.c has just ended. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "broker/broker.h"
#include "broker/metrics.h"

void metrics_fault(char out[LIMIT_TEXT], const struct broker *broker)
{
    out[0] = '\0';
    for (size_t i = 0; i < broker->num_processes && out[0] == '\0'; i++) {
        const struct process *process = &broker->processes[i];
        if (process->life.state != LIFE_RUNNING)
            snprintf(out, LIMIT_TEXT, "%s is not running", process->name);
        else if (process->asked)
            snprintf(out, LIMIT_TEXT, "%s does not answer", process->name);
    }
}

static enum err write_text(char **out, size_t *out_len, const struct broker *broker, const struct system_status *status)
{
    struct web_status web;
    web_counters(&web, broker);
    const struct metrics_source source = {
        .version = AUDIT_VERSION,
        .status = status,
        .web = &web,
        .handle_refusals = broker->handle_refusals,
        .events_lost = broker->retired_events_lost + broker->keyd_counters.events_lost,
    };
    FILE *text = open_memstream(out, out_len);
    if (!text) return ERR_MEMORY;
    metrics_write(text, &source);
    return fclose(text) == 0 ? ERR_OK : ERR_MEMORY;
}

void metrics_answer(struct broker *broker, const struct system_status *status)
{
    char fault[LIMIT_TEXT];
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    bool wanted = false;
    for (size_t i = 0; i < broker->num_processes; i++) wanted = wanted || broker->processes[i].metrics_wanted;
    if (!wanted) return;
    metrics_fault(fault, broker);
    if (write_text(&text, &len, broker, status) != ERR_OK || len > LIMIT_METRICS) {
        snprintf(fault, sizeof fault, "the broker has no room for the metrics");
        len = 0;
    }
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        const struct msg msg = {.kind = MSG_METRICS, .metrics = {.fault = fault, .text = {(const uint8_t *)text, len}}};
        if (!process->metrics_wanted) continue;
        process->metrics_wanted = false;
        process_send(broker, process, &msg, NULL, 0);
    }
}
