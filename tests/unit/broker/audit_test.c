/* What the broker records, and when: its state without its processes. */
#include "broker/audit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"

static struct broker broker;
static struct audit_record records[4096];
static size_t num_records;

static void setup(void)
{
    static const uint8_t zeros[AUDIT_HASH];
    audit_log_init(&broker.audit.log, memfd_create("log", 0), 0, zeros);
    broker.audit.interval_ms = 60000;
    audit_begin(&broker, 0);
    /* keyd is there, in so far as its key is. */
    process_init(&broker.processes[0], PROGRAM_KEYD, 0);
    broker.num_processes = 1;
}

TestSuite(audit, .init = setup);

/* Writes what there is, reads the whole log, and counts the records of one kind; the last of them is *out. */
static size_t load(enum audit_what what, struct audit_record *out)
{
    static char text[1 << 20];
    size_t num = 0;
    audit_step(&broker, clock_monotonic_ms());
    ssize_t len = pread(broker.audit.log.fd, text, sizeof text - 1, 0);
    cr_assert_geq(len, 0);
    text[len] = '\0';
    num_records = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct audit_record *record = &records[num_records++];
        cr_assert(audit_record_parse(record, line, strlen(line)), "%s", line);
        if (record->what != what) continue;
        num++;
        if (out) *out = *record;
    }
    return num;
}

static uint64_t make_handle(const char *label)
{
    const struct keyd_grant terms = {
        .purpose = PURPOSE_TLS_CLIENT, .label = label, .server = "localhost", .lifetime_s = 60, .rate = 3};
    const struct handle *handle = handles_add(&broker.handles, &terms, clock_monotonic_ms());
    cr_assert_not_null(handle);
    audit_granted(&broker, handle->id, &terms, -1);
    return handle->id;
}

static void tell(uint64_t grant, enum grant_event what, enum refusal reason, uint32_t count)
{
    const struct keyd_event event = {.grant = grant, .what = what, .reason = reason, .pid = 99, .count = count};
    audit_event(&broker, &event);
}

Test(audit, records_every_signature_by_itself)
{
    struct audit_record record;
    uint64_t handle = make_handle("one");
    for (unsigned i = 0; i < 500; i++) tell(handle, GRANT_EVENT_SIGNED, REFUSAL_NONE, 1);
    cr_expect_eq(load(AUDIT_SIGNED, &record), 500);
    cr_expect_eq(record.handle, handle);
    cr_expect_str_eq(record.label, "one");
    cr_expect_str_eq(record.purpose, "tls-client");
    cr_expect_str_eq(record.server, "localhost");
    cr_expect_eq(record.pid, 99);
    cr_expect_eq(load(AUDIT_MINTED, &record), 1);
    cr_expect_str_eq(record.text, "seconds 60, a second 3");
}

/* One line at once, one for the rest of the second, however many there are. */
Test(audit, counts_equal_refusals_together)
{
    struct audit_record record;
    uint64_t handle = make_handle("one"), other = make_handle("other");
    for (unsigned i = 0; i < 500; i++) tell(handle, GRANT_EVENT_REFUSED, REFUSAL_EXPIRED, 3);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 1);
    cr_expect_eq(record.count, 3);
    cr_expect_str_eq(record.reason, refusal_text(REFUSAL_EXPIRED));
    tell(handle, GRANT_EVENT_REFUSED, REFUSAL_RATE, 1); /* another reason, another handle: each has its own line */
    tell(other, GRANT_EVENT_REFUSED, REFUSAL_EXPIRED, 1);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 3);
    audit_step(&broker, clock_monotonic_ms() + 2000);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 4);
    cr_expect_eq(record.count, 499 * 3);
    cr_expect_eq(record.handle, handle);
    /* Quiet for a second: the next one is told at once again. */
    audit_step(&broker, clock_monotonic_ms() + 10000);
    tell(handle, GRANT_EVENT_REFUSED, REFUSAL_EXPIRED, 1);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 5);
}

/* Whoever was refused a thousand times has not been somebody else because that one was refused last. */
Test(audit, blames_nobody_alone_for_the_refusals_of_several)
{
    struct audit_record record;
    uint64_t handle = make_handle("one");
    const struct keyd_event mine = {
        .grant = handle, .what = GRANT_EVENT_REFUSED, .reason = REFUSAL_RATE, .pid = 98, .count = 1};
    audit_event(&broker, &mine);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 1);
    cr_expect_eq(record.pid, 98);
    for (unsigned i = 0; i < 3; i++) audit_event(&broker, &mine);
    tell(handle, GRANT_EVENT_REFUSED, REFUSAL_RATE, 1);
    audit_event(&broker, &mine);
    audit_step(&broker, clock_monotonic_ms() + 2000);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 2);
    cr_expect_eq(record.count, 5);
    cr_expect_eq(record.pid, 0);
    cr_expect_str_eq(record.text, "by several processes");
    /* And the next time it is one again. */
    audit_event(&broker, &mine);
    audit_step(&broker, clock_monotonic_ms() + 4000);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 3);
    cr_expect_eq(record.pid, 98);
    cr_expect_str_eq(record.text, "");
}

Test(audit, tells_the_refusals_of_a_handle_before_its_end)
{
    uint64_t handle = make_handle("one");
    for (unsigned i = 0; i < 7; i++) tell(handle, GRANT_EVENT_REFUSED, REFUSAL_EXPIRED, 1);
    tell(handle, GRANT_EVENT_CLOSED, REFUSAL_NONE, 1);
    cr_expect_eq(load(AUDIT_REFUSED, NULL), 2);
    cr_expect_eq(records[num_records - 1].what, AUDIT_CLOSED);
    cr_expect_eq(records[num_records - 2].count, 6);
}

/* More handles at once than are told apart: nothing is lost, and the log does not grow by it. */
Test(audit, counts_the_refusals_of_too_many_handles_as_one)
{
    struct audit_record record;
    static uint64_t handles[LIMIT_AUDIT_MERGES + 10];
    for (size_t i = 0; i < LIMIT_AUDIT_MERGES + 10; i++) handles[i] = make_handle("many");
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < LIMIT_AUDIT_MERGES + 10; i++) tell(handles[i], GRANT_EVENT_REFUSED, REFUSAL_RATE, 1);
    }
    cr_expect_eq(load(AUDIT_REFUSED, NULL), LIMIT_AUDIT_MERGES);
    audit_step(&broker, clock_monotonic_ms() + 2000);
    uint64_t sum = 0;
    cr_expect_eq(load(AUDIT_REFUSED, &record), 2 * LIMIT_AUDIT_MERGES + 1);
    for (size_t i = 0; i < num_records; i++) sum += records[i].what == AUDIT_REFUSED ? records[i].count : 0;
    cr_expect_eq(sum, 3 * (LIMIT_AUDIT_MERGES + 10));
}

/* What keyd signed a moment before it heard of the revocation. */
Test(audit, records_what_was_under_way_when_a_handle_was_dropped)
{
    struct audit_record record;
    uint64_t handle = make_handle("one");
    audit_handle(&broker, AUDIT_REVOKED, handle, "by the control socket");
    handles_remove(&broker.handles, handle);
    tell(handle, GRANT_EVENT_SIGNED, REFUSAL_NONE, 1);
    tell(handle, GRANT_EVENT_REFUSED, REFUSAL_EXPIRED, 2);
    tell(handle, GRANT_EVENT_CLOSED, REFUSAL_NONE, 1);
    cr_expect_eq(load(AUDIT_REVOKED, &record), 1);
    cr_expect_str_eq(record.label, "one");
    cr_expect_str_eq(record.text, "by the control socket");
    cr_expect_eq(load(AUDIT_SIGNED, &record), 1);
    cr_expect_eq(record.handle, handle);
    cr_expect_eq(load(AUDIT_REFUSED, &record), 1);
    cr_expect_eq(record.count, 2);
    cr_expect_eq(load(AUDIT_CLOSED, NULL), 0); /* its end is on record already */
}

/* ---- What servers have signed ----------------------------------------------------------------------------------- */

static uint64_t make_server(const char *name)
{
    const struct keyd_grant terms = {.purpose = PURPOSE_TLS_SERVER, .label = name};
    const struct handle *handle = handles_add(&broker.handles, &terms, clock_monotonic_ms());
    audit_granted(&broker, handle->id, &terms, -1);
    return handle->id;
}

static void tell_status(uint64_t grant, uint64_t signatures, uint64_t refusals, uint64_t lost)
{
    struct grant_status row = {.grant = grant, .signatures = signatures, .refusals = refusals};
    const struct keyd_status status = {.grants = &row, .num_grants = 1, .events_lost = lost};
    audit_status(&broker, &status);
}

Test(audit, counts_a_servers_signatures_since_the_last_time)
{
    struct audit_record record;
    uint64_t server = make_server("web[0]");
    tell_status(server, 10, 1, 0);
    cr_expect_eq(load(AUDIT_SERVER, &record), 1);
    cr_expect_eq(record.count, 10);
    cr_expect_eq(record.refusals, 1);
    cr_expect_str_eq(record.process, "web[0]");
    tell_status(server, 10, 1, 0); /* nothing new */
    cr_expect_eq(load(AUDIT_SERVER, NULL), 1);
    tell_status(server, 14, 1, 0);
    cr_expect_eq(load(AUDIT_SERVER, &record), 2);
    cr_expect_eq(record.count, 4);
    /* keyd tells the sum when the channel ends. */
    const struct keyd_event end = {
        .grant = server, .what = GRANT_EVENT_CLOSED, .count = 1, .signatures = 20, .refusals = 2};
    audit_event(&broker, &end);
    cr_expect_eq(load(AUDIT_SERVER, &record), 3);
    cr_expect_eq(record.count, 6);
    cr_expect_eq(record.refusals, 1);
    tell_status(server, 30, 2, 0);
    cr_expect_eq(load(AUDIT_SERVER, NULL), 3);
}

Test(audit, counts_them_also_if_the_broker_has_dropped_the_channel)
{
    struct audit_record record;
    uint64_t server = make_server("web[0]");
    handles_remove(&broker.handles, server);
    const struct keyd_event end = {.grant = server, .what = GRANT_EVENT_CLOSED, .count = 1, .signatures = 5};
    audit_event(&broker, &end);
    cr_expect_eq(load(AUDIT_SERVER, &record), 1);
    cr_expect_eq(record.count, 5);
}

Test(audit, says_what_keyd_could_not_tell)
{
    struct audit_record record;
    uint64_t server = make_server("web[0]");
    tell_status(server, 0, 0, 7);
    cr_expect_eq(load(AUDIT_GAP, &record), 1);
    cr_expect_eq(record.lost, 7);
    cr_expect_str_eq(record.process, "keyd");
    tell_status(server, 0, 0, 7);
    tell_status(server, 0, 0, 9);
    cr_expect_eq(load(AUDIT_GAP, &record), 2);
    cr_expect_eq(record.lost, 2);
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

Test(audit, is_closed_at_once_where_no_keyd_can_sign)
{
    cr_expect(audit_close(&broker, "told to stop", clock_monotonic_ms()));
    make_handle("late");
    cr_expect_eq(load(AUDIT_STOP, NULL), 1);
    cr_expect_eq(load(AUDIT_MINTED, NULL), 0);
    cr_expect_eq(records[num_records - 1].what, AUDIT_END);
    cr_expect_eq(records[num_records - 1].signature.len, 0);
}

Test(audit, waits_for_keyd_so_long_and_no_longer)
{
    uint64_t now = clock_monotonic_ms();
    broker.audit.has_key = true; /* and it does not answer */
    broker.processes[0].link.fd = -1;
    cr_expect_not(audit_close(&broker, "told to stop", now));
    cr_expect_eq(audit_deadline(&broker.audit), now + DEADLINE_AUDIT_MS);
    cr_expect_not(audit_close(&broker, "told to stop", now + DEADLINE_AUDIT_MS - 1));
    cr_expect(audit_close(&broker, "told to stop", now + DEADLINE_AUDIT_MS));
    cr_expect_eq(load(AUDIT_END, NULL), 1);
}

/* What is signed behind the closing head would be on no record. With each policy, and whatever becomes of the file. */
Test(audit, holds_handles_before_it_is_closed)
{
    int ends[2];
    struct msg said;
    struct packet_extra extra;
    struct codec_arena *arena = codec_arena_new(LIMIT_DECODE_ARENA);
    cr_assert_eq(channel_pair(ends), ERR_OK);
    const struct link keyd = {.fd = ends[1], .role = LINK_BROKER_KEYD, .end = LINK_LOWER};
    broker.processes[0].link = (struct link){.fd = ends[0], .role = LINK_BROKER_KEYD, .end = LINK_UPPER};
    broker.audit.has_key = true;
    broker.audit.policy = AUDIT_CONTINUE;
    cr_expect_not(audit_close(&broker, "told to stop", clock_monotonic_ms()));
    cr_assert_eq(link_recv(&keyd, &said, &extra, arena), ERR_OK);
    cr_assert_eq(said.kind, MSG_KEYD_HOLD);
    cr_assert(said.keyd_hold);
    cr_assert_eq(link_recv(&keyd, &said, &extra, arena), ERR_OK);
    cr_assert_eq(said.kind, MSG_SIGN_AUDIT_HEAD);
    broker.audit.policy = AUDIT_REFUSE;
    broker.audit.blocked = true;
    audit_step(&broker, clock_monotonic_ms());
    cr_expect_not(broker.audit.blocked);
    cr_assert_eq(link_recv(&keyd, &said, &extra, arena), ERR_AGAIN, "%s", msg_kind_name(said.kind));
    codec_arena_free(arena);
    close(ends[0]);
    close(ends[1]);
}

Test(audit, nothing_is_recorded_where_no_log_was_opened)
{
    static struct broker closed;
    audit_started(&closed, "web[0]", 7);
    audit_step(&closed, clock_monotonic_ms());
    audit_finish(&closed);
    cr_expect_eq(closed.audit.log.records, 0);
    cr_expect_eq(audit_deadline(&closed.audit), 0);
    cr_expect(audit_close(&closed, "", 0));
}
