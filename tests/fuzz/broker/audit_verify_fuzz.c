/* The verifier and all that it reads with, against a file that somebody else wrote: no input stops it, what it takes as intact has every
 * record's number and link in order, and reading it in other pieces comes to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "broker/audit_log.h"
#include "broker/audit_show.h"
#include "broker/audit_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    FILE *out;
    uint64_t records;
    uint8_t hash[AUDIT_HASH];
};

static void see(void *context, const struct audit_record *record)
{
    struct seen *seen = context;
    char line[LIMIT_AUDIT_LINE + 1];
    CHECK(record->number == ++seen->records);
    CHECK(memcmp(record->prev, seen->hash, AUDIT_HASH) == 0);
    audit_line_hash(seen->hash, line, audit_record_format(line, record));
    audit_show(seen->out, record, AUDIT_PLAIN);
}

static struct audit_report verify(const char *text, size_t len, size_t piece, FILE *out)
{
    static const struct audit_trust nothing;
    struct seen seen = {.out = out};
    struct audit_report report;
    struct audit_verify *verify = audit_verify_new(&nothing, see, &seen);
    CHECK(verify != NULL);
    for (size_t at = 0; at < len; at += piece) {
        if (!audit_verify_feed(verify, text + at, len - at < piece ? len - at : piece)) break;
    }
    audit_verify_finish(verify, &report);
    audit_verify_free(verify);
    CHECK(report.records == seen.records && report.covered <= report.records);
    CHECK(report.verdict != AUDIT_INTACT || report.covered == report.records);
    CHECK(report.verdict != AUDIT_DAMAGED || report.text[0] != '\0');
    return report;
}

/* Gives every line the link that it should have, which no fuzzer finds by itself, so that what lies behind is reached. */
static void link_lines(char *text, size_t len)
{
    static const char ending[] = ",\"prev\":\"";
    enum { TAIL = sizeof ending - 1 + 2 * AUDIT_HASH + 2 };
    uint8_t hash[AUDIT_HASH] = {0};
    for (char *at = text, *newline; (newline = memchr(at, '\n', len - (size_t)(at - text))); at = newline + 1) {
        char hex[2 * AUDIT_HASH + 1];
        bool has_link = newline - at > TAIL && memcmp(newline - TAIL, ending, sizeof ending - 1) == 0;
        bytes_hex(hex, (struct bytes){hash, AUDIT_HASH});
        if (has_link) memcpy(newline - 2 - 2 * AUDIT_HASH, hex, 2 * AUDIT_HASH);
        audit_line_hash(hash, at, (size_t)(newline - at));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *out;
    const char *text = (const char *)data;
    if (!out) out = fopen("/dev/null", "w");
    CHECK(out != NULL);
    struct audit_report whole = verify(text, size, size + 1, out), parts = verify(text, size, 7, out);
    CHECK(whole.verdict == parts.verdict && whole.fault_record == parts.fault_record &&
          whole.covered == parts.covered && strcmp(whole.text, parts.text) == 0);
    char *linked = malloc(size + 1);
    CHECK(linked != NULL);
    memcpy(linked, text, size);
    link_lines(linked, size);
    (void)verify(linked, size, size + 1, out);
    free(linked);
    return 0;
}
