/* Everything that can be done to a finished log, and at which record it is found. */
#include "broker/audit_verify.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/audit_signature.h"
#include "tests/unit/broker/audit_rig.h"
#include "tests/unit/keep.h"

static struct audit_rig rig;

static void setup(void)
{
    audit_rig_usual(&rig);
    audit_rig_load(&rig);
    cr_assert_eq(rig.num, 10);
}

TestSuite(audit_verify, .init = setup, .timeout = 120);

static void expect_intact(const struct audit_report *report)
{
    cr_expect_eq(report->verdict, AUDIT_INTACT, "%s", report->text);
}

static void expect_damaged(const struct audit_report *report, size_t record, const char *what, size_t i)
{
    cr_expect_eq(report->verdict, AUDIT_DAMAGED, "%s %zu is not seen", what, i);
    cr_expect_eq(report->fault_record, record, "%s %zu: %s", what, i, report->text);
    char name[32];
    snprintf(name, sizeof name, "record %zu", record);
    cr_expect_not_null(strstr(report->text, name), "%s", report->text);
}

Test(audit_verify, takes_what_was_written)
{
    struct audit_report report = audit_rig_verify(&rig, NULL);
    expect_intact(&report);
    cr_expect_eq(report.records, 10);
    cr_expect_eq(report.covered, 10);
}

/* Every single byte of the log. */
Test(audit_verify, finds_any_edit_and_names_the_record)
{
    for (size_t i = 0; i < rig.num; i++) {
        char *line = rig.lines[i];
        for (size_t at = 0; at < strlen(line); at++) {
            char was = line[at];
            line[at] = was == '1' ? '2' : was == '0' ? '1' : (char)(was ^ 1);
            if (line[at] == '\n') line[at] = '~';
            struct audit_report report = audit_rig_verify(&rig, NULL);
            /* A record whose number was made greater comes too early: the one that should be here is missing. */
            expect_damaged(&report, i + 1, "edit of byte", at);
            line[at] = was;
        }
    }
}

/* (r, s) and (r, n - s) are both good to whoever only verifies. */
Test(audit_verify, takes_one_form_of_a_signature)
{
    struct audit_record end;
    char line[LIMIT_AUDIT_LINE + 1];
    uint8_t *other = NULL;
    size_t other_len;
    cr_assert(audit_record_parse(&end, rig.lines[9], strlen(rig.lines[9])));
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    ECDSA_SIG *signature = keep(ECDSA_SIG_from_bytes(end.signature.data, end.signature.len));
    BIGNUM *r = BN_dup(ECDSA_SIG_get0_r(signature)), *s = BN_new();
    cr_assert(BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(signature)));
    cr_assert(ECDSA_SIG_set0(signature, r, s));
    cr_assert(ECDSA_SIG_to_bytes(&other, &other_len, signature));
    audit_set_bytes(&end.signature, (struct bytes){other, other_len});
    OPENSSL_free(other);
    audit_record_format(line, &end);
    rig.lines[9] = line;
    struct audit_report report = audit_rig_verify(&rig, NULL);
    expect_damaged(&report, 10, "the other form of a signature in", 10);
}

static char *edited(const char *line, const char *from, const char *to)
{
    char out[LIMIT_AUDIT_LINE];
    const char *place = strstr(line, from);
    cr_assert_not_null(place, "%s in %s", from, line);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(place - line), line, to, place + strlen(from));
    return keep(strdup(out));
}

Test(audit_verify, finds_sensible_edits)
{
    for (size_t i = 0; i < rig.num; i++) {
        char *was = rig.lines[i];
        rig.lines[i] = edited(was, "\"time\":\"2026-01-02T03", "\"time\":\"2026-01-02T04");
        struct audit_report report = audit_rig_verify(&rig, NULL);
        expect_damaged(&report, i + 1, "another time of", i + 1);
        rig.lines[i] = was;
    }
    rig.lines[5] = edited(rig.lines[5], "refused", "signed");
    struct audit_report report = audit_rig_verify(&rig, NULL);
    expect_damaged(&report, 6, "a refusal made a signature", 6);
}

static void remove_line(size_t i)
{
    memmove(&rig.lines[i], &rig.lines[i + 1], (rig.num - i - 1) * sizeof *rig.lines);
    rig.num--;
}

static void insert_line(size_t i, char *line)
{
    memmove(&rig.lines[i + 1], &rig.lines[i], (rig.num - i) * sizeof *rig.lines);
    rig.lines[i] = line;
    rig.num++;
}

Test(audit_verify, finds_any_deletion)
{
    for (size_t i = 0; i < rig.num - 1; i++) {
        char *line = rig.lines[i];
        remove_line(i);
        struct audit_report report = audit_rig_verify(&rig, NULL);
        expect_damaged(&report, i + 1, "deletion of", i + 1);
        insert_line(i, line);
    }
    /* Several at once. */
    remove_line(3);
    remove_line(3);
    struct audit_report report = audit_rig_verify(&rig, NULL);
    expect_damaged(&report, 4, "deletion of two from", 4);
}

Test(audit_verify, finds_any_duplicate)
{
    for (size_t i = 0; i < rig.num; i++) {
        for (size_t to = i + 1; to <= rig.num; to++) {
            insert_line(to, rig.lines[i]);
            struct audit_report report = audit_rig_verify(&rig, NULL);
            expect_damaged(&report, i + 1, "duplicate of", i + 1);
            remove_line(to);
        }
    }
}

Test(audit_verify, finds_any_reordering)
{
    for (size_t i = 0; i < rig.num; i++) {
        for (size_t j = i + 1; j < rig.num; j++) {
            char *line = rig.lines[i];
            rig.lines[i] = rig.lines[j];
            rig.lines[j] = line;
            struct audit_report report = audit_rig_verify(&rig, NULL);
            expect_damaged(&report, i + 1, "exchange of", i + 1); /* it is missing where it should be */
            rig.lines[j] = rig.lines[i];
            rig.lines[i] = line;
        }
    }
}

Test(audit_verify, finds_any_insertion)
{
    for (size_t i = 0; i <= rig.num; i++) {
        char line[LIMIT_AUDIT_LINE + 1];
        struct audit_record forged = {.number = i + 1, .time_ms = UINT64_C(1767323045678), .what = AUDIT_SIGNED};
        if (i > 0) audit_rig_hash(forged.prev, &rig, i - 1);
        audit_record_format(line, &forged);
        insert_line(i, line);
        struct audit_report report = audit_rig_verify(&rig, NULL);
        expect_damaged(&report, i + 1, "insertion of", i + 1);
        char junk[] = "{}", empty[] = "";
        rig.lines[i] = junk;
        report = audit_rig_verify(&rig, NULL);
        expect_damaged(&report, i + 1, "junk in the place of", i + 1);
        rig.lines[i] = empty;
        report = audit_rig_verify(&rig, NULL);
        expect_damaged(&report, i + 1, "an empty line in the place of", i + 1);
        remove_line(i);
    }
}

/* The whole log as text, and where each line ends, its newline included. */
static size_t whole(char *out, size_t ends[AUDIT_RIG_LINES])
{
    size_t len = 0;
    for (size_t i = 0; i < rig.num; i++) {
        len += (size_t)sprintf(out + len, "%s\n", rig.lines[i]);
        ends[i] = len;
    }
    return len;
}

Test(audit_verify, finds_any_truncation)
{
    static char text[AUDIT_RIG_LINES * LIMIT_AUDIT_LINE];
    size_t ends[AUDIT_RIG_LINES], len = whole(text, ends), line = 0;
    for (size_t cut = 0; cut < len; cut++) {
        while (cut >= ends[line]) line++;
        struct audit_report report = audit_rig_verify_text(text, cut, NULL);
        if (cut == 0 || (line > 0 && cut == ends[line - 1])) {
            /* At the end of a line it looks like a log that is still being written. */
            cr_expect_eq(report.verdict, cut == 0 ? AUDIT_DAMAGED : AUDIT_OPEN, "cut at %zu: %s", cut, report.text);
            if (cut > 0) cr_expect_not_null(strstr(report.text, "not closed: "), "%s", report.text);
            cr_expect_eq(report.records, line);
        } else {
            expect_damaged(&report, line + 1, "cut at", cut);
        }
    }
}

/* An end that somebody adds to a log that was cut. */
Test(audit_verify, does_not_take_an_end_that_nobody_signed)
{
    char line[LIMIT_AUDIT_LINE + 1];
    struct audit_record end = {.number = 8, .time_ms = UINT64_C(1767323045678), .what = AUDIT_END};
    rig.num = 7;
    audit_rig_hash(end.prev, &rig, 6);
    audit_record_format(line, &end);
    rig.lines[rig.num++] = line;
    struct audit_report report = audit_rig_verify(&rig, NULL);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_eq(report.covered, 4);
    cr_expect_not_null(strstr(report.text, "4 records after record 4"), "%s", report.text);
}

Test(audit_verify, finds_a_log_written_anew_at_the_next_head)
{
    /* Heads stand in records 5 and 10. */
    for (size_t i = 0; i < rig.num - 1; i++) {
        if (i == 1 || i == 4) continue; /* the key, and a head, which say what they cover */
        char *saved[AUDIT_RIG_LINES];
        memcpy(saved, rig.lines, sizeof saved);
        rig.lines[i] = edited(rig.lines[i], "\"pid\":1234", "\"pid\":1235");
        audit_rig_rechain(&rig, i + 1);
        struct audit_report report = audit_rig_verify(&rig, NULL);
        expect_damaged(&report, i < 4 ? 5 : 10, "rewritten from", i + 1);
        memcpy(rig.lines, saved, sizeof saved);
    }
}

static void trust_key(struct audit_trust *out, const struct audit_rig *from)
{
    cr_assert(audit_key_fingerprint(out->keys[out->num_keys++], audit_key_public(from->key)));
}

/* Somebody makes a whole log with a key of his own. In itself it is as good as any. */
Test(audit_verify, knows_a_forged_log_by_its_key_or_by_a_head_from_the_journal)
{
    static struct audit_rig forged;
    struct audit_trust key = {0}, head = {0};
    trust_key(&key, &rig);
    head.num_pins = 1;
    head.pins[0].number = 4;
    audit_rig_hash(head.pins[0].hash, &rig, 3);
    struct audit_report report = audit_rig_verify(&rig, &key);
    expect_intact(&report);
    report = audit_rig_verify(&rig, &head);
    expect_intact(&report);

    audit_rig_usual(&forged);
    audit_rig_load(&forged);
    report = audit_rig_verify(&forged, NULL);
    expect_intact(&report);
    report = audit_rig_verify(&forged, &key);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_eq(report.covered, 0);
    cr_expect_not_null(strstr(report.text, "the keys given"), "%s", report.text);
    report = audit_rig_verify(&forged, &head);
    expect_damaged(&report, 4, "a forged", 4);
}

/* A head over the very record before it looks like an end over it, so the two are not signed alike. */
Test(audit_verify, does_not_take_an_end_that_was_made_of_a_head)
{
    char line[LIMIT_AUDIT_LINE + 1];
    struct audit_record last, end;
    struct audit_trust key = {0};
    trust_key(&key, &rig);
    cr_assert(audit_record_parse(&last, rig.lines[3], strlen(rig.lines[3])));
    cr_assert(audit_record_parse(&end, rig.lines[4], strlen(rig.lines[4])));
    cr_assert_eq(end.what, AUDIT_HEAD);
    cr_assert_eq(end.head, 4);
    end.what = AUDIT_END;
    end.time_ms = last.time_ms;
    audit_record_format(line, &end);
    rig.lines[4] = line;
    rig.num = 5;
    struct audit_report report = audit_rig_verify(&rig, &key);
    expect_damaged(&report, 5, "an end made of the head in", 5);
}

/* Behind a head that the journal has, somebody goes on with a key of his own. */
Test(audit_verify, takes_no_other_key_behind_a_head_from_the_journal)
{
    static struct audit_rig forged;
    struct audit_trust head = {.num_pins = 1, .pins = {{.number = 5}}};
    audit_rig_begin(&forged);
    audit_rig_add(&forged, AUDIT_START);
    audit_rig_new_key(&forged);
    audit_rig_add(&forged, AUDIT_SIGNED);
    audit_rig_add(&forged, AUDIT_SIGNED);
    audit_rig_sign(&forged, AUDIT_HEAD);
    audit_rig_new_key(&forged);
    audit_rig_sign(&forged, AUDIT_END);
    audit_rig_load(&forged);
    audit_rig_hash(head.pins[0].hash, &forged, 4);
    struct audit_report report = audit_rig_verify(&forged, &head);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_eq(report.covered, 5);
    cr_expect_not_null(strstr(report.text, "2 records after record 5"), "%s", report.text);
}

Test(audit_verify, misses_what_a_head_from_the_journal_tells_of)
{
    struct audit_trust head = {.num_pins = 1, .pins = {{.number = 9}}};
    audit_rig_hash(head.pins[0].hash, &rig, 8);
    rig.num = 6;
    struct audit_report report = audit_rig_verify(&rig, &head);
    expect_damaged(&report, 7, "the end is cut off at", 7);
    cr_expect_not_null(strstr(report.text, "record 9"), "%s", report.text);
}

/* ---- A log that is being written -------------------------------------------------------------------------------- */

static struct audit_trust running(size_t line)
{
    struct audit_trust trust = {.live = true, .running = {.number = line + 1}};
    audit_rig_hash(trust.running.hash, &rig, line);
    cr_assert(audit_key_fingerprint(trust.live_key, audit_key_public(rig.key)));
    return trust;
}

Test(audit_verify, takes_the_running_brokers_word_for_its_own_log)
{
    rig.num = 8;
    struct audit_trust trust = running(7);
    struct audit_report report = audit_rig_verify(&rig, &trust);
    expect_intact(&report);
    cr_expect(report.confirmed);
    cr_expect_eq(report.covered, 8);
    /* What came after the answer is newer than it. */
    trust = running(6);
    report = audit_rig_verify(&rig, &trust);
    expect_intact(&report);
    cr_expect_eq(report.covered, 7);
    /* Cut, the last record changed, or somebody else's log. */
    trust = running(7);
    rig.num = 7;
    report = audit_rig_verify(&rig, &trust);
    expect_damaged(&report, 8, "cut before", 8);
    rig.num = 8;
    rig.lines[7] = edited(rig.lines[7], "\"pid\":1234", "\"pid\":1235");
    report = audit_rig_verify(&rig, &trust);
    expect_damaged(&report, 8, "a changed", 8);
    trust.live_key[0] ^= 1;
    report = audit_rig_verify(&rig, &trust);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_not(report.confirmed);
}

/* ---- More than one broker, more than one keyd ------------------------------------------------------------------- */

Test(audit_verify, goes_through_several_lives)
{
    static struct audit_rig lives;
    audit_rig_begin(&lives);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    audit_rig_add(&lives, AUDIT_SIGNED);
    audit_rig_new_key(&lives); /* keyd has crashed */
    audit_rig_add(&lives, AUDIT_SIGNED);
    audit_rig_sign(&lives, AUDIT_HEAD);
    audit_rig_sign(&lives, AUDIT_END);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    audit_rig_sign(&lives, AUDIT_END);
    audit_rig_load(&lives);
    struct audit_report report = audit_rig_verify(&lives, NULL);
    expect_intact(&report);
    cr_expect_eq(report.covered, 10);
}

Test(audit_verify, says_which_broker_did_not_close_the_log)
{
    static struct audit_rig lives;
    audit_rig_begin(&lives);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    audit_rig_sign(&lives, AUDIT_HEAD);
    audit_rig_add(&lives, AUDIT_SIGNED);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    audit_rig_sign(&lives, AUDIT_END);
    audit_rig_load(&lives);
    struct audit_report report = audit_rig_verify(&lives, NULL);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_eq(report.covered, 7);
    cr_expect_not_null(strstr(report.text, "record 5: "), "%s", report.text);
    cr_expect_not_null(strstr(report.text, "after record 2"), "%s", report.text);
}

/* A broker goes on behind whatever it finds: that its log is good says nothing about what was there before. */
Test(audit_verify, wants_a_key_or_a_head_of_each_broker)
{
    static struct audit_rig lives;
    struct audit_trust second = {0}, both = {0}, heads = {0};
    audit_rig_begin(&lives);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    trust_key(&both, &lives);
    audit_rig_sign(&lives, AUDIT_END);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    trust_key(&second, &lives);
    trust_key(&both, &lives);
    audit_rig_add(&lives, AUDIT_SIGNED);
    audit_rig_sign(&lives, AUDIT_END);
    audit_rig_load(&lives);
    struct audit_report report = audit_rig_verify(&lives, &both);
    expect_intact(&report);
    report = audit_rig_verify(&lives, NULL);
    expect_intact(&report);
    report = audit_rig_verify(&lives, &second);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_eq(report.covered, 7);
    cr_expect_not_null(strstr(report.text, "record 4: "), "%s", report.text);
    cr_expect_not_null(strstr(report.text, "after record 0"), "%s", report.text);

    /* Heads of the journal do the same; the end that follows from one needs none of its own. */
    const size_t at[] = {1, 5};
    for (size_t i = 0; i < 2; i++) {
        heads.pins[heads.num_pins].number = at[i] + 1;
        audit_rig_hash(heads.pins[heads.num_pins++].hash, &lives, at[i]);
    }
    report = audit_rig_verify(&lives, &heads);
    expect_intact(&report);
    heads.pins[0] = heads.pins[--heads.num_pins];
    report = audit_rig_verify(&lives, &heads);
    cr_expect_eq(report.verdict, AUDIT_OPEN);
    cr_expect_not_null(strstr(report.text, "record 4: "), "%s", report.text);
}

Test(audit_verify, takes_no_head_by_a_key_of_before)
{
    static struct audit_rig lives;
    audit_rig_begin(&lives);
    audit_rig_add(&lives, AUDIT_START);
    audit_rig_new_key(&lives);
    struct audit_key *before = lives.key;
    audit_rig_new_key(&lives);
    lives.key = before;
    audit_rig_sign(&lives, AUDIT_HEAD);
    audit_rig_load(&lives);
    struct audit_report report = audit_rig_verify(&lives, NULL);
    expect_damaged(&report, 4, "an old key in", 4);
}

Test(audit_verify, nothing_but_a_start_follows_an_end)
{
    audit_rig_add(&rig, AUDIT_SIGNED);
    audit_rig_load(&rig);
    struct audit_report report = audit_rig_verify(&rig, NULL);
    expect_damaged(&report, 11, "after the end", 11);
}

Test(audit_verify, counts_what_the_log_says_is_lost)
{
    static struct audit_rig gaps;
    audit_rig_begin(&gaps);
    audit_rig_add(&gaps, AUDIT_START);
    audit_rig_new_key(&gaps);
    audit_rig_add(&gaps, AUDIT_GAP);
    audit_rig_sign(&gaps, AUDIT_END);
    audit_rig_load(&gaps);
    struct audit_report report = audit_rig_verify(&gaps, NULL);
    expect_intact(&report);
    cr_expect_eq(report.lost, 5);
}

/* The hashes of so many records are remembered. */
Test(audit_verify, takes_a_head_that_comes_late_up_to_the_limit)
{
    for (unsigned extra = 0; extra < 2; extra++) {
        static char text[(LIMIT_AUDIT_LAG + 16) * 512];
        static struct audit_rig late;
        uint8_t signature[AUDIT_KEY_SIGNATURE];
        size_t len;
        audit_rig_begin(&late);
        audit_rig_add(&late, AUDIT_START);
        audit_rig_new_key(&late);
        struct audit_record head = {.what = AUDIT_HEAD, .head = 2};
        cr_assert_eq(audit_key_sign(late.key, signature, &len, 2, late.log->hash), ERR_OK);
        cr_assert(audit_key_fingerprint(head.fingerprint.data, audit_key_public(late.key)));
        head.fingerprint.len = AUDIT_HASH;
        audit_set_bytes(&head.hash, (struct bytes){late.log->hash, AUDIT_HASH});
        audit_set_bytes(&head.signature, (struct bytes){signature, len});
        for (unsigned i = 1; i < LIMIT_AUDIT_LAG + extra; i++) audit_rig_add(&late, AUDIT_SIGNED);
        audit_log_add(late.log, &head, 0);
        cr_assert_eq(audit_log_write(late.log, 0), ERR_OK);
        ssize_t got = pread(late.fd, text, sizeof text, 0);
        struct audit_report report = audit_rig_verify_text(text, (size_t)got, NULL);
        if (extra == 0) {
            cr_expect_eq(report.verdict, AUDIT_OPEN, "%s", report.text);
            cr_expect_eq(report.covered, 2);
        } else {
            expect_damaged(&report, LIMIT_AUDIT_LAG + 3, "a head that is too late", extra);
        }
    }
}

Test(audit_verify, refuses_a_line_that_is_too_long)
{
    static char text[2 * LIMIT_AUDIT_LINE];
    memset(text, 'x', sizeof text);
    struct audit_report report = audit_rig_verify_text(text, sizeof text, NULL);
    expect_damaged(&report, 1, "a long line", 1);
}
