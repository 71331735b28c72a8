#include "broker/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "broker/broker.h"

/* A verdict whose texts are its own. */
struct row {
    struct verdict value;
    char address[LIMIT_LABEL + 1];
    char reason[LIMIT_VERDICT_REASON + 1];
    char remedy[LIMIT_VERDICT_REMEDY + 1];
    char subject[LIMIT_SUBJECT + 1];
    char issuer[LIMIT_SUBJECT + 1];
    char serial[LIMIT_LABEL + 1];
    char fingerprint[LIMIT_LABEL + 1];
};

struct explain_round {
    struct control_ticket ticket;
    uint64_t id; /* of the question to the workers */
    uint64_t deadline;
    bool waits[LIMIT_PROCESSES]; /* for the process at this place */
    size_t max;
    struct row rows[LIMIT_EXPLANATION]; /* the latest first */
    size_t num;
};

static void copy(char *out, size_t size, const char **value, const char *text)
{
    snprintf(out, size, "%s", text);
    *value = out;
}

static void fill(struct row *row, const struct verdict *verdict)
{
    row->value = *verdict;
    copy(row->address, sizeof row->address, &row->value.address, verdict->address);
    copy(row->reason, sizeof row->reason, &row->value.reason, verdict->reason);
    copy(row->remedy, sizeof row->remedy, &row->value.remedy, verdict->remedy);
    copy(row->subject, sizeof row->subject, &row->value.subject, verdict->subject);
    copy(row->issuer, sizeof row->issuer, &row->value.issuer, verdict->issuer);
    copy(row->serial, sizeof row->serial, &row->value.serial, verdict->serial);
    copy(row->fingerprint, sizeof row->fingerprint, &row->value.fingerprint, verdict->fingerprint);
}

/* All but the port. */
static bool same_host(const char *a, const char *b)
{
    const char *end_a = strrchr(a, ':'), *end_b = strrchr(b, ':');
    const size_t len_a = end_a ? (size_t)(end_a - a) : strlen(a);
    const size_t len_b = end_b ? (size_t)(end_b - b) : strlen(b);
    return len_a == len_b && strncmp(a, b, len_a) == 0;
}

static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
    return a->kind == b->kind && same_host(a->address, b->address) && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->fingerprint, b->fingerprint) == 0;
}

/* Takes the row at this place out. */
static void remove_row(struct explain_round *round, size_t at)
{
    for (round->num--; at < round->num; at++) fill(&round->rows[at], &round->rows[at + 1].value);
}

static void insert_row(struct explain_round *round, const struct verdict *verdict)
{
    size_t at = 0;
    while (at < round->num && round->rows[at].value.last_ms >= verdict->last_ms) at++;
    if (at == round->max) return;
    if (round->num < round->max) round->num++;
    for (size_t i = round->num - 1; i > at; i--) fill(&round->rows[i], &round->rows[i - 1].value);
    fill(&round->rows[at], verdict);
}

/* One client's connections are spread over the workers: what two of them have of it for the same reason is one row. */
static void add(struct explain_round *round, const struct verdict *verdict)
{
    struct verdict sum = *verdict;
    struct row other;
    for (size_t i = 0; i < round->num; i++) {
        if (!same_verdict(&round->rows[i].value, verdict)) continue;
        fill(&other, &round->rows[i].value);
        remove_row(round, i);
        if (other.value.last_ms > sum.last_ms) sum = other.value;
        sum.count = other.value.count + verdict->count;
        sum.first_ms = other.value.first_ms < verdict->first_ms ? other.value.first_ms : verdict->first_ms;
        break;
    }
    insert_row(round, &sum);
}

static uint32_t num_waiting(const struct explain_round *round)
{
    uint32_t num = 0;
    for (size_t i = 0; i < LIMIT_PROCESSES; i++) num += round->waits[i];
    return num;
}

static void end(struct broker *broker, struct explain_round **place)
{
    struct explain_round *round = *place;
    struct verdict verdicts[LIMIT_EXPLANATION];
    for (size_t i = 0; i < round->num; i++) verdicts[i] = round->rows[i].value;
    const struct explanation explanation = {
        .verdicts = verdicts,
        .num_verdicts = round->num,
        .silent = num_waiting(round),
    };
    control_explain(broker, round->ticket, &explanation);
    free(round);
    *place = NULL;
}

void explain_begin(struct broker *broker, struct control_ticket ticket, const struct explain_query *query)
{
    struct explain_round **place = &broker->explain.rounds[ticket.place];
    free(*place); /* of somebody who has left, or asks again without having waited */
    *place = calloc(1, sizeof **place);
    if (!*place) {
        control_fail(broker, ticket, ERR_MEMORY, "no memory for the answer");
        return;
    }
    struct explain_round *round = *place;
    round->ticket = ticket;
    round->id = ++broker->last_id;
    round->max = query->max;
    round->deadline = clock_monotonic_ms() + CONTROL_ROUND_MS;
    const struct msg msg = {.kind = MSG_EXPLAIN_QUERY, .id = round->id, .explain_query = *query};
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *web = &broker->processes[i];
        if (web->row->program != PROGRAM_WEB || web->life.state != LIFE_RUNNING) continue;
        round->waits[i] = true;
        process_send(broker, web, &msg, NULL, 0);
    }
    if (num_waiting(round) == 0) end(broker, place);
}

/* id 0: in every round. */
static void stop_waiting(struct broker *broker, const struct process *web, uint64_t id,
                         const struct explanation *explanation)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        struct explain_round *round = broker->explain.rounds[i];
        bool *waits = round ? &round->waits[web - broker->processes] : NULL;
        if (!round || !*waits || (id != 0 && id != round->id)) continue;
        *waits = false;
        for (size_t j = 0; explanation && j < explanation->num_verdicts; j++) add(round, &explanation->verdicts[j]);
        if (num_waiting(round) == 0) end(broker, &broker->explain.rounds[i]);
    }
}

void explain_note_answer(struct broker *broker, const struct process *web, const struct msg *msg)
{
    if (msg->id != 0) stop_waiting(broker, web, msg->id, &msg->explanation);
}

void explain_note_web_gone(struct broker *broker, const struct process *web)
{
    stop_waiting(broker, web, 0, NULL);
}

uint64_t explain_deadline(const struct broker *broker)
{
    uint64_t next = 0;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        const struct explain_round *round = broker->explain.rounds[i];
        if (round && (next == 0 || round->deadline < next)) next = round->deadline;
    }
    return next;
}

void explain_expire(struct broker *broker, uint64_t now)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        struct explain_round **place = &broker->explain.rounds[i];
        if (*place && now >= (*place)->deadline) end(broker, place);
    }
}
