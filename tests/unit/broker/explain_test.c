/* A question about failed handshakes goes to every worker, and comes back as one answer. */
#include "broker/explain.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/clock.h"
#include "broker/broker.h"

enum { WORKERS = 2 };

static struct broker broker;
static struct link workers[WORKERS], client;
static struct codec_arena *arena;
static struct msg answer;
static const struct explain_query everything = {.host = "", .max = LIMIT_EXPLANATION};

static void connect_pair(struct link *upper, struct link *lower, enum link_role role)
{
    int ends[2];
    cr_assert_eq(channel_pair(ends), ERR_OK);
    *upper = (struct link){.fd = ends[0], .role = role, .end = LINK_UPPER};
    *lower = (struct link){.fd = ends[1], .role = role, .end = LINK_LOWER};
}

static void setup(void)
{
    arena = codec_arena_new(LIMIT_DECODE_ARENA);
    broker.arena = codec_arena_new(LIMIT_DECODE_ARENA);
    control_init(&broker.control, -1, 0);
    process_init(&broker.processes[broker.num_processes++], PROGRAM_KEYD, 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct process *web = &broker.processes[broker.num_processes++];
        process_init(web, PROGRAM_WEB, i);
        web->life.state = LIFE_RUNNING;
        connect_pair(&web->link, &workers[i], LINK_BROKER_WEB);
    }
    connect_pair(&broker.control.clients[3].link, &client, LINK_CONTROL);
    broker.control.clients[3].number = 7;
    broker.last_id = 40;
}

TestSuite(explain, .init = setup, .timeout = 30);

static void begin(const struct explain_query *query)
{
    const struct control_ticket ticket = {.place = 3, .client = 7, .id = 9};
    explain_begin(&broker, ticket, query);
}

static bool receive(struct link *link, struct msg *out)
{
    struct packet_extra extra;
    return link_recv(link, out, &extra, arena) == ERR_OK;
}

static struct verdict verdict_of(const char *address, const char *reason, uint64_t count, uint64_t last_ms)
{
    return (struct verdict){.address = address,
                            .kind = HANDSHAKE_PROTOCOL,
                            .count = count,
                            .first_ms = last_ms - count,
                            .last_ms = last_ms,
                            .reason = reason,
                            .remedy = "",
                            .subject = "",
                            .issuer = "",
                            .serial = "",
                            .fingerprint = ""};
}

static void say(unsigned worker, uint64_t id, struct verdict *verdicts, size_t num)
{
    const struct msg msg = {.kind = MSG_EXPLANATION, .id = id, .explanation = {verdicts, num, 0}};
    explain_note_answer(&broker, &broker.processes[1 + worker], &msg);
}

Test(explain, answers_are_put_together)
{
    struct verdict first[] = {verdict_of("192.0.2.1:5", "not TLS", 2, 100), verdict_of("192.0.2.2:5", "late", 1, 50)};
    struct verdict second[] = {verdict_of("192.0.2.1:6", "not TLS", 3, 90), verdict_of("192.0.2.1:6", "old", 1, 60)};
    const struct explain_query query = {.host = "192.0.2.1", .max = 5};
    begin(&query);
    for (unsigned i = 0; i < WORKERS; i++) {
        cr_assert(receive(&workers[i], &answer));
        cr_expect_eq(answer.kind, MSG_EXPLAIN_QUERY);
        cr_expect_eq(answer.id, 41);
        cr_expect_str_eq(answer.explain_query.host, "192.0.2.1");
        cr_expect_eq(answer.explain_query.max, 5);
    }
    say(0, 41, first, 2);
    cr_expect_not(receive(&client, &answer), "the other one is waited for");
    say(0, 41, first, 2); /* said twice is heard once */
    say(1, 40, second, 2);
    cr_expect_not(receive(&client, &answer), "another question's answer");
    say(1, 41, second, 2);
    cr_assert(receive(&client, &answer));
    cr_expect_eq(answer.kind, MSG_EXPLANATION);
    cr_expect_eq(answer.id, 9);
    const struct explanation *explanation = &answer.explanation;
    cr_assert_eq(explanation->num_verdicts, 3);
    cr_expect_eq(explanation->silent, 0);
    cr_expect_str_eq(explanation->verdicts[0].address, "192.0.2.1:5");
    cr_expect_eq(explanation->verdicts[0].count, 5);
    cr_expect_eq(explanation->verdicts[0].first_ms, 87);
    cr_expect_eq(explanation->verdicts[0].last_ms, 100);
    cr_expect_str_eq(explanation->verdicts[1].reason, "old");
    cr_expect_str_eq(explanation->verdicts[2].reason, "late");
    cr_expect_eq(explain_deadline(&broker), 0);
}

Test(explain, the_latest_of_all)
{
    struct verdict first[] = {verdict_of("192.0.2.1:5", "a", 1, 100), verdict_of("192.0.2.1:5", "b", 1, 10)};
    struct verdict second[] = {verdict_of("192.0.2.1:5", "c", 1, 90), verdict_of("192.0.2.1:5", "d", 1, 80)};
    const struct explain_query query = {.host = "", .max = 2};
    begin(&query);
    say(0, 41, first, 2);
    say(1, 41, second, 2);
    cr_assert(receive(&client, &answer));
    cr_assert_eq(answer.explanation.num_verdicts, 2);
    cr_expect_str_eq(answer.explanation.verdicts[0].reason, "a");
    cr_expect_str_eq(answer.explanation.verdicts[1].reason, "c");
}

Test(explain, who_does_not_answer_is_not_waited_for)
{
    begin(&everything);
    say(0, 41, NULL, 0);
    explain_expire(&broker, explain_deadline(&broker) - 1);
    cr_expect_not(receive(&client, &answer));
    explain_expire(&broker, explain_deadline(&broker));
    cr_assert(receive(&client, &answer));
    cr_expect_eq(answer.explanation.silent, 1);
    cr_expect_eq(explain_deadline(&broker), 0);
    say(1, 41, NULL, 0); /* too late, and harmless */
}

Test(explain, nor_is_who_has_ended)
{
    begin(&everything);
    explain_note_web_gone(&broker, &broker.processes[1]);
    explain_note_web_gone(&broker, &broker.processes[2]);
    cr_assert(receive(&client, &answer));
    cr_expect_eq(answer.explanation.silent, 0);
}

Test(explain, without_workers_there_is_an_answer)
{
    broker.processes[1].life.state = broker.processes[2].life.state = LIFE_STARTING;
    begin(&everything);
    cr_assert(receive(&client, &answer));
    cr_expect_eq(answer.explanation.num_verdicts, 0);
}

Test(explain, who_has_left_is_told_nothing)
{
    begin(&everything);
    broker.control.clients[3].number = 8; /* somebody else has the place */
    say(0, 41, NULL, 0);
    say(1, 41, NULL, 0);
    cr_expect_not(receive(&client, &answer));
}

Test(explain, who_asks_again_gets_one_answer)
{
    begin(&everything);
    begin(&everything);
    say(0, 41, NULL, 0);
    say(1, 41, NULL, 0);
    cr_expect_not(receive(&client, &answer));
    say(0, 42, NULL, 0);
    say(1, 42, NULL, 0);
    cr_expect(receive(&client, &answer));
    cr_expect_not(receive(&client, &answer));
}

Test(explain, those_of_earlier_configurations_may_be_silent_too)
{
    while (broker.num_processes <= LIMIT_WORKER_NUMBERS) {
        struct process *web = &broker.processes[broker.num_processes++];
        process_init(web, PROGRAM_WEB, (uint32_t)broker.num_processes - 2);
        web->life.state = LIFE_RUNNING;
    }
    begin(&everything);
    explain_expire(&broker, clock_monotonic_ms() + CONTROL_ROUND_MS);
    cr_assert(receive(&client, &answer));
    cr_expect_eq(answer.explanation.silent, LIMIT_WORKER_NUMBERS);
}
