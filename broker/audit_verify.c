#include "broker/audit_verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/audit_log.h"
#include "broker/audit_signature.h"

typedef unsigned long long ull;

struct audit_verify {
    const struct audit_trust *trust;
    audit_verify_sink sink;
    void *context;
    struct audit_report report;
    bool faulty;
    uint64_t line;
    char buffer[LIMIT_AUDIT_LINE + 1]; /* the line that is coming in */
    size_t buffered;
    struct audit_record record; /* of the line looked at */
    /* The last record that was in its place. */
    enum audit_what what;
    bool closed; /* by an AUDIT_END with keyd's signature */
    uint64_t number;
    uint64_t time_ms;
    uint8_t hashes[LIMIT_AUDIT_LAG][AUDIT_HASH]; /* of the last ones' lines, by their numbers */
    struct audit_bytes key;                      /* keyd's, from the last AUDIT_KEY */
    uint64_t key_record;                         /* the number of that */
    uint8_t fingerprint[AUDIT_HASH];
    uint64_t unclosed; /* the first AUDIT_START that followed no closed log; 0: none */
    uint64_t unclosed_after;
    uint64_t unvouched; /* the first AUDIT_START before which nothing that was given vouches for all; 0: none */
    uint64_t unvouched_after;
    bool confirmed; /* the running broker's last record is in the file */
    /* A record that does not fit the one before it: the next one tells which of them was changed. */
    bool suspects;
    uint8_t suspect_hash[AUDIT_HASH];
};

struct audit_verify *audit_verify_new(const struct audit_trust *trust, audit_verify_sink sink, void *context)
{
    struct audit_verify *verify = calloc(1, sizeof *verify);
    if (!verify) return NULL;
    verify->trust = trust;
    verify->sink = sink;
    verify->context = context;
    return verify;
}

void audit_verify_free(struct audit_verify *verify)
{
    free(verify);
}

__attribute__((format(printf, 4, 5))) static void fault(struct audit_verify *verify, uint64_t line, uint64_t record,
                                                        const char *format, ...)
{
    struct audit_report *report = &verify->report;
    va_list args;
    if (verify->faulty) return;
    verify->faulty = true;
    report->fault_line = line;
    report->fault_record = record;
    int len = snprintf(report->text, sizeof report->text, "line %llu, record %llu: ", (ull)line, (ull)record);
    va_start(args, format);
    vsnprintf(report->text + len, sizeof report->text - (size_t)len, format, args);
    va_end(args);
}

static const uint8_t *hash_of(const struct audit_verify *verify, uint64_t number)
{
    return verify->hashes[number % LIMIT_AUDIT_LAG];
}

/* ---- Signed heads ----------------------------------------------------------------------------------------------- */

static void take_key(struct audit_verify *verify, const struct audit_record *record)
{
    uint8_t fingerprint[AUDIT_HASH];
    struct bytes key = {record->public_key.data, record->public_key.len};
    if (!audit_key_fingerprint(fingerprint, key) || record->fingerprint.len != AUDIT_HASH ||
        memcmp(fingerprint, record->fingerprint.data, AUDIT_HASH) != 0) {
        fault(verify, verify->line, record->number, "the key is none, or not that of its fingerprint");
        return;
    }
    verify->key = record->public_key;
    verify->key_record = record->number;
    memcpy(verify->fingerprint, fingerprint, AUDIT_HASH);
}

static bool is_told(const struct audit_trust *trust)
{
    return trust->num_keys > 0 || trust->num_pins > 0;
}

/* A key that a covered record names is keyd's: so it is in the file as it was written. */
static bool key_is_trusted(const struct audit_verify *verify)
{
    const struct audit_trust *trust = verify->trust;
    if (!is_told(trust) || verify->key_record <= verify->report.covered) return true;
    for (size_t i = 0; i < trust->num_keys; i++) {
        if (memcmp(trust->keys[i], verify->fingerprint, AUDIT_HASH) == 0) return true;
    }
    return false;
}

static bool signature_is_good(const struct audit_verify *verify, const struct audit_record *record)
{
    uint8_t hash[AUDIT_HASH];
    if (verify->key.len == 0 || record->hash.len != AUDIT_HASH || record->fingerprint.len != AUDIT_HASH) return false;
    memcpy(hash, record->hash.data, AUDIT_HASH);
    if (record->what == AUDIT_END) audit_end_hash(hash, record->hash.data);
    return memcmp(record->fingerprint.data, verify->fingerprint, AUDIT_HASH) == 0 &&
           audit_signature_good((struct bytes){verify->key.data, verify->key.len}, record->head, hash,
                                (struct bytes){record->signature.data, record->signature.len});
}

/* A closing record says nothing that does not follow from those before it and its signature, so that there is nothing in it
 * to be changed. Without a keyd there was nobody to sign it. */
static bool closes_properly(const struct audit_verify *verify, const struct audit_record *record)
{
    return record->head == verify->number && record->time_ms == verify->time_ms;
}

static void take_head(struct audit_verify *verify, const struct audit_record *record)
{
    const char *why = NULL;
    if (record->what == AUDIT_END && record->signature.len == 0) return;
    if (record->head == 0 || record->head > verify->number || record->number - record->head > LIMIT_AUDIT_LAG) {
        fault(verify, verify->line, record->number, "a head of record %llu cannot stand here", (ull)record->head);
        return;
    }
    if (record->hash.len != AUDIT_HASH || memcmp(record->hash.data, hash_of(verify, record->head), AUDIT_HASH) != 0) {
        fault(verify, verify->line, record->number,
              "the head is of another record %llu than the one in this file; what follows record %llu was written anew",
              (ull)record->head, (ull)verify->report.covered);
        return;
    }
    if (!signature_is_good(verify, record)) why = "the head is not signed by the key that the log names";
    if (record->what == AUDIT_END && !closes_properly(verify, record)) why = "it closes the log at another place";
    if (why) {
        fault(verify, verify->line, record->number, "%s", why);
        return;
    }
    if (key_is_trusted(verify)) verify->report.covered = record->what == AUDIT_END ? record->number : record->head;
}

/* A broker goes on behind whatever it finds, and its keyd signs the heads of that. So of what was there before only those
 * who were there before can say that it is as they wrote it. */
static void check_before(struct audit_verify *verify, const struct audit_record *record)
{
    if (!is_told(verify->trust) || verify->unvouched != 0 || verify->report.covered == verify->number) return;
    verify->unvouched = record->number;
    verify->unvouched_after = verify->report.covered;
}

/* Whether the broker before this start was killed, as somebody has looked into. */
static bool is_known_crash(const struct audit_verify *verify, const struct audit_record *start)
{
    if (verify->number == 0 || verify->closed) return false;
    for (size_t i = 0; i < verify->trust->num_crashes; i++) {
        if (verify->trust->crashes[i] == start->number) return true;
    }
    return false;
}

/* ---- Records ---------------------------------------------------------------------------------------------------- */

static void take_start(struct audit_verify *verify, const struct audit_record *record)
{
    if (verify->number == 0 || verify->closed || verify->unclosed != 0) return;
    verify->unclosed = record->number;
    verify->unclosed_after = verify->report.covered;
}

/* What a record says must be possible where it stands. */
static void check_meaning(struct audit_verify *verify, const struct audit_record *record)
{
    bool first = verify->number == 0 || verify->what == AUDIT_END;
    if (first && record->what != AUDIT_START) {
        fault(verify, verify->line, record->number, "a log begins, and goes on after its end, with a start");
        return;
    }
    if (record->what == AUDIT_START && is_known_crash(verify, record)) {
        verify->report.crashes++;
    } else if (record->what == AUDIT_START) {
        check_before(verify, record);
        take_start(verify, record);
    }
    if (record->what == AUDIT_KEY) take_key(verify, record);
    if (record->what == AUDIT_HEAD || record->what == AUDIT_END) take_head(verify, record);
    if (record->what == AUDIT_GAP) verify->report.lost += record->lost;
}

static void check_pins(struct audit_verify *verify, uint64_t number, const uint8_t hash[AUDIT_HASH])
{
    const struct audit_trust *trust = verify->trust;
    for (size_t i = 0; i < trust->num_pins; i++) {
        if (trust->pins[i].number != number) continue;
        if (memcmp(trust->pins[i].hash, hash, AUDIT_HASH) == 0) {
            if (verify->report.covered < number) verify->report.covered = number;
        } else {
            fault(verify, verify->line, number, "it is not the record whose hash was given");
        }
    }
    if (trust->live && trust->running.number == number)
        verify->confirmed = memcmp(trust->running.hash, hash, AUDIT_HASH) == 0;
}

static void accept(struct audit_verify *verify, const uint8_t hash[AUDIT_HASH])
{
    const struct audit_record *record = &verify->record;
    check_meaning(verify, record);
    if (verify->faulty) return;
    check_pins(verify, record->number, hash);
    if (verify->faulty) return;
    verify->what = record->what;
    verify->closed = record->what == AUDIT_END && record->signature.len > 0;
    verify->number = record->number;
    verify->time_ms = record->time_ms;
    memcpy(verify->hashes[record->number % LIMIT_AUDIT_LAG], hash, AUDIT_HASH);
    if (verify->sink) verify->sink(verify->context, record);
}

static void blame_earlier(struct audit_verify *verify, uint64_t lines_before)
{
    fault(verify, verify->line - lines_before, verify->number, "it was changed after record %llu was written",
          (ull)verify->number + 1);
}

/* The record before this one did not fit its own predecessor. If this one fits it, it is as it was written, and the
 * predecessor is not. */
static void resolve(struct audit_verify *verify, bool parsed)
{
    if (parsed && memcmp(verify->record.prev, verify->suspect_hash, AUDIT_HASH) == 0) {
        blame_earlier(verify, 2);
    } else {
        fault(verify, verify->line - 1, verify->number + 1, "it was changed");
    }
}

static void suspect(struct audit_verify *verify, const uint8_t hash[AUDIT_HASH])
{
    verify->suspects = true;
    memcpy(verify->suspect_hash, hash, AUDIT_HASH);
}

static void check_place(struct audit_verify *verify, const uint8_t hash[AUDIT_HASH])
{
    static const uint8_t zeros[AUDIT_HASH];
    const struct audit_record *record = &verify->record;
    uint64_t expected = verify->number + 1;
    const uint8_t *before = verify->number == 0 ? zeros : hash_of(verify, verify->number);
    bool linked = memcmp(record->prev, before, AUDIT_HASH) == 0;
    if (linked && record->number != expected) {
        fault(verify, verify->line, expected, "its number was changed to %llu", (ull)record->number);
    } else if (record->number > expected) {
        fault(verify, verify->line, expected, "it is missing here: record %llu comes next", (ull)record->number);
    } else if (record->number < expected) {
        fault(verify, verify->line, record->number, "it stands here again, where record %llu should be", (ull)expected);
    } else if (linked) {
        accept(verify, hash);
    } else if (expected == 1) {
        fault(verify, verify->line, 1, "it is not the first that was written, or was changed");
    } else {
        suspect(verify, hash);
    }
}

static void take_line(struct audit_verify *verify, const char *line, size_t len)
{
    uint8_t hash[AUDIT_HASH];
    verify->line++;
    bool parsed = audit_record_parse(&verify->record, line, len);
    if (verify->suspects) {
        resolve(verify, parsed);
    } else if (!parsed) {
        fault(verify, verify->line, verify->number + 1, "the line is not such as the broker writes");
    } else {
        audit_line_hash(hash, line, len);
        check_place(verify, hash);
    }
}

bool audit_verify_feed(struct audit_verify *verify, const char *data, size_t len)
{
    while (len > 0 && !verify->faulty) {
        const char *newline = memchr(data, '\n', len);
        size_t piece = newline ? (size_t)(newline - data) : len;
        size_t room = sizeof verify->buffer - verify->buffered;
        if (piece > room) piece = room;
        memcpy(verify->buffer + verify->buffered, data, piece);
        verify->buffered += piece;
        data += piece;
        len -= piece;
        bool ends = len > 0 && *data == '\n';
        if (!ends && verify->buffered < sizeof verify->buffer) break;
        take_line(verify, verify->buffer, verify->buffered); /* one that is too long is refused by its length */
        verify->buffered = 0;
        data += ends;
        len -= ends;
    }
    return !verify->faulty;
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* The last record does not fit the one before. If it closes the log, its signature tells. */
static void resolve_at_end(struct audit_verify *verify)
{
    const struct audit_record *last = &verify->record;
    bool vouches = (last->what == AUDIT_HEAD || last->what == AUDIT_END) && last->head == verify->number &&
                   signature_is_good(verify, last);
    if (vouches && memcmp(last->hash.data, last->prev, AUDIT_HASH) == 0) {
        blame_earlier(verify, 1);
    } else if (vouches) {
        fault(verify, verify->line, verify->number + 1, "it was changed");
    } else {
        fault(verify, verify->line - 1, verify->number, "it was changed, or record %llu was", (ull)verify->number + 1);
    }
}

static void check_missing_pins(struct audit_verify *verify)
{
    const struct audit_trust *trust = verify->trust;
    for (size_t i = 0; i < trust->num_pins; i++) {
        if (trust->pins[i].number > verify->number)
            fault(verify, verify->line + 1, verify->number + 1, "it is missing: the file ends, and has had record %llu",
                  (ull)trust->pins[i].number);
    }
    /* The running broker's word counts for its own log alone. */
    if (!trust->live || memcmp(trust->live_key, verify->fingerprint, AUDIT_HASH) != 0 || verify->key.len == 0) {
        verify->confirmed = false;
    } else if (trust->running.number > verify->number) {
        fault(verify, verify->line + 1, verify->number + 1,
              "it is missing: the file ends, and the running broker has written record %llu",
              (ull)trust->running.number);
    } else if (!verify->confirmed) {
        fault(verify, trust->running.number, trust->running.number, "it is not the one that the running broker wrote");
    }
}

static void describe_open(const struct audit_verify *verify, struct audit_report *out)
{
    uint64_t uncovered = verify->number - out->covered;
    if (verify->what == AUDIT_END) {
        snprintf(out->text, sizeof out->text, "%llu records after record %llu are covered by no head of %s",
                 (ull)uncovered, (ull)out->covered,
                 is_told(verify->trust) ? "the keys given" : "keyd, which was gone when the broker stopped");
    } else {
        snprintf(
            out->text, sizeof out->text,
            "not closed: %llu records after the last signed head (of record %llu) are not covered; the log is still "
            "being written, or its end is missing",
            (ull)uncovered, (ull)out->covered);
    }
}

static void judge(struct audit_verify *verify, struct audit_report *out)
{
    out->verdict = AUDIT_INTACT;
    if (verify->confirmed && verify->trust->num_keys == 0) {
        out->covered = out->covered > verify->trust->running.number ? out->covered : verify->trust->running.number;
    } else if (out->covered < verify->number) {
        out->verdict = AUDIT_OPEN;
        describe_open(verify, out);
        return;
    }
    if (verify->unclosed == 0 && verify->unvouched == 0) return;
    out->verdict = AUDIT_OPEN;
    if (verify->unclosed == 0) {
        snprintf(out->text, sizeof out->text,
                 "record %llu: a broker began here behind what it found in the file, of which nothing that was given "
                 "covers what comes after record %llu; give a key or the last head of each broker before",
                 (ull)verify->unvouched, (ull)verify->unvouched_after);
        return;
    }
    snprintf(
        out->text, sizeof out->text,
        "record %llu: the broker before this start did not close the log; of what it wrote after record %llu the end "
        "may be missing; once you know why, say so with --crash %llu",
        (ull)verify->unclosed, (ull)verify->unclosed_after, (ull)verify->unclosed);
}

void audit_verify_finish(struct audit_verify *verify, struct audit_report *out)
{
    if (verify->suspects && !verify->faulty) resolve_at_end(verify);
    if (verify->buffered > 0)
        fault(verify, verify->line + 1, verify->number + 1, "the line is not finished; the file was cut off here");
    if (verify->number == 0) fault(verify, 1, 1, "it is missing: the file has no records");
    if (!verify->faulty) check_missing_pins(verify);
    *out = verify->report;
    out->records = verify->number;
    out->confirmed = verify->confirmed && !verify->faulty;
    out->verdict = AUDIT_DAMAGED;
    if (!verify->faulty) judge(verify, out);
}
