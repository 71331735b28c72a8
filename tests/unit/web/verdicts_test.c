/* What is remembered of failed handshakes: counted, bounded, and out of reach of who floods from one address. */
#include "web/verdicts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct verdicts *verdicts;
static struct verdict list[LIMIT_EXPLANATION];
static uint64_t now_ms;

static void setup(void)
{
    verdicts = verdicts_new();
    cr_assert_not_null(verdicts);
    now_ms = 1000;
}

static void teardown(void)
{
    verdicts_free(verdicts);
}

TestSuite(verdicts, .init = setup, .fini = teardown);

static void add(const char *address, const char *reason)
{
    const struct verdict_note note = {
        .address = address, .kind = HANDSHAKE_PROTOCOL, .reason = reason, .remedy = "do better"};
    verdicts_add(verdicts, &note, now_ms++);
}

static size_t num_of(const char *host, uint32_t max)
{
    const struct explain_query query = {.host = host, .max = max};
    return verdicts_list(verdicts, list, &query);
}

Test(verdicts, repeats_are_counted)
{
    add("192.0.2.1:1000", "not TLS");
    add("192.0.2.1:1001", "too old");
    add("192.0.2.1:1002", "not TLS");
    cr_assert_eq(verdicts_num(verdicts), 2);
    cr_assert_eq(num_of("", 10), 2);
    cr_expect_str_eq(list[0].address, "192.0.2.1:1002", "the latest first, with its port");
    cr_expect_str_eq(list[0].reason, "not TLS");
    cr_expect_str_eq(list[0].remedy, "do better");
    cr_expect_str_eq(list[0].fingerprint, "");
    cr_expect_eq(list[0].kind, HANDSHAKE_PROTOCOL);
    cr_expect_eq(list[0].count, 2);
    cr_expect_eq(list[0].first_ms, 1000);
    cr_expect_eq(list[0].last_ms, 1002);
    cr_expect_eq(list[1].count, 1);
}

Test(verdicts, certificates_and_kinds_are_told_apart)
{
    struct certificate_text certificate = {.subject = "CN=a", .issuer = "CN=b", .serial = "0c", .fingerprint = "01"};
    struct verdict_note note = {.address = "192.0.2.1:1", .certificate = &certificate, .reason = "no", .remedy = ""};
    verdicts_add(verdicts, &note, 1);
    strcpy(certificate.fingerprint, "02");
    verdicts_add(verdicts, &note, 2);
    note.kind = VERDICT_LIMIT;
    verdicts_add(verdicts, &note, 3);
    cr_assert_eq(num_of(NULL, 10), 3);
    cr_expect_eq(list[0].kind, VERDICT_LIMIT);
    cr_expect_str_eq(list[1].fingerprint, "02");
    cr_expect_str_eq(list[2].fingerprint, "01");
    cr_expect_str_eq(list[2].subject, "CN=a");
    cr_expect_str_eq(list[2].issuer, "CN=b");
    cr_expect_str_eq(list[2].serial, "0c");
}

Test(verdicts, of_one_client_or_the_latest)
{
    add("192.0.2.1:1", "a");
    add("192.0.2.11:1", "b");
    add("[2001:db8::1]:1", "c");
    add("[2001:db8::2]:1", "d");
    cr_assert_eq(num_of("192.0.2.1", 10), 1);
    cr_expect_str_eq(list[0].reason, "a");
    cr_assert_eq(num_of("[2001:db8::2]", 10), 1);
    cr_expect_str_eq(list[0].reason, "d");
    cr_expect_eq(num_of("192.0.2", 10), 0);
    cr_assert_eq(num_of("", 1), 1);
    cr_expect_str_eq(list[0].reason, "d");
}

/* One address, with another reason each time, as the issuer's name can make it: its own rows make room. */
Test(verdicts, a_flood_pushes_out_its_own)
{
    char reason[32], address[64];
    add("192.0.2.7:1", "the one that matters");
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(reason, sizeof reason, "reason %u", i);
        snprintf(address, sizeof address, "192.0.2.1:%u", i % 60000 + 1);
        add(address, reason);
        cr_assert_leq(num_of("192.0.2.1", LIMIT_EXPLANATION), LIMIT_VERDICTS_EACH);
    }
    cr_expect_eq(verdicts_num(verdicts), LIMIT_VERDICTS_EACH + 1);
    cr_assert_eq(num_of("192.0.2.1", LIMIT_EXPLANATION), LIMIT_VERDICTS_EACH);
    cr_expect_str_eq(list[0].reason, "reason 9999");
    cr_expect_str_eq(list[LIMIT_VERDICTS_EACH - 1].reason, "reason 9992");
    cr_assert_eq(num_of("192.0.2.7", 1), 1);
    cr_expect_str_eq(list[0].reason, "the one that matters");
}

/* An IPv6 client has 64 bits to choose from. */
Test(verdicts, a_flood_in_ipv6_is_one_client)
{
    char address[64];
    add("[2001:db8:1::1]:1", "the one that matters");
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(address, sizeof address, "[2001:db8::%x]:1", i + 1);
        char reason[32];
        snprintf(reason, sizeof reason, "reason %u", i);
        add(address, reason);
    }
    cr_expect_eq(verdicts_num(verdicts), LIMIT_VERDICTS_EACH + 1);
    cr_expect_eq(num_of("[2001:db8:1::1]", 1), 1);
}

/* Full of clients that have as many rows as they may: a newcomer costs those, and not who has one. */
Test(verdicts, a_full_table_takes_from_whoever_has_most)
{
    char reason[32], address[64];
    add("192.0.2.7:1", "the one that matters");
    for (unsigned i = 0; verdicts_num(verdicts) < LIMIT_VERDICTS; i++) {
        snprintf(reason, sizeof reason, "reason %u", i);
        snprintf(address, sizeof address, "198.51.100.%u:1", i / LIMIT_VERDICTS_EACH);
        add(address, reason);
    }
    for (unsigned i = 0; i < 40; i++) {
        snprintf(address, sizeof address, "203.0.113.%u:1", i);
        add(address, "new");
        cr_assert_eq(verdicts_num(verdicts), LIMIT_VERDICTS);
    }
    cr_expect_eq(num_of("192.0.2.7", 1), 1, "who has one row has it still");
    cr_expect_eq(num_of("203.0.113.0", 1), 1);
    cr_expect_lt(num_of("198.51.100.0", LIMIT_EXPLANATION), LIMIT_VERDICTS_EACH);
    for (unsigned i = 0; i < 2 * LIMIT_VERDICTS; i++) {
        snprintf(address, sizeof address, "203.0.%u.%u:1", i / 200, i % 200);
        add(address, "new");
    }
    cr_expect_eq(num_of("192.0.2.7", 1), 0, "where all have one the oldest goes");
    cr_expect_eq(verdicts_num(verdicts), LIMIT_VERDICTS);
}

Test(verdicts, an_answer_has_no_more_than_fit)
{
    char reason[32], address[64];
    for (unsigned i = 0; i < LIMIT_EXPLANATION + 1; i++) {
        snprintf(reason, sizeof reason, "reason %u", i);
        snprintf(address, sizeof address, "198.51.100.%u:1", i);
        add(address, reason);
    }
    cr_expect_eq(num_of("", LIMIT_EXPLANATION), LIMIT_EXPLANATION);
    cr_expect_str_eq(list[LIMIT_EXPLANATION - 1].reason, "reason 1");
}

/* What a client wrote travels in a message, and messages have text alone. */
Test(verdicts, any_text_can_be_sent)
{
    char reason[LIMIT_VERDICT_REASON + 3];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    memcpy(reason, "\x1b[2J\n\xff", 6);
    struct certificate_text certificate = {.subject = "CN=\x07\xc3", .issuer = "\x80", .fingerprint = "01"};
    const struct verdict_note note = {
        .address = "?", .certificate = &certificate, .reason = reason, .remedy = "see it"};
    verdicts_add(verdicts, &note, 1);
    cr_assert_eq(num_of("", 1), 1);
    cr_expect_eq(strlen(list[0].reason), LIMIT_VERDICT_REASON);
    cr_expect_eq(strncmp(list[0].reason, "?[2J??x", 7), 0, "%s", list[0].reason);
    cr_expect_str_eq(list[0].subject, "CN=??");
    cr_expect_str_eq(list[0].issuer, "?");
}

Test(verdicts, nobody_remembers_without_a_table)
{
    const struct verdict_note note = {.address = "?", .reason = "no", .remedy = ""};
    const struct explain_query query = {.max = 1};
    verdicts_add(NULL, &note, 1);
    cr_expect_eq(verdicts_num(NULL), 0);
    cr_expect_eq(verdicts_list(NULL, list, &query), 0);
}
