#include "tests/unit/broker/audit_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker/audit_signature.h"
#include "tests/unit/keep.h"

#define START_MS UINT64_C(1767323045678)

static uint64_t now_ms = START_MS;

void audit_rig_begin(struct audit_rig *rig)
{
    static const uint8_t zeros[AUDIT_HASH];
    *rig = (struct audit_rig){.log = keep(calloc(1, sizeof *rig->log)), .fd = memfd_create("log", 0)};
    cr_assert_geq(rig->fd, 0);
    audit_log_init(rig->log, rig->fd, 0, zeros);
}

static void add(struct audit_rig *rig, struct audit_record *record)
{
    audit_log_add(rig->log, record, now_ms++);
    cr_assert_eq(audit_log_write(rig->log, now_ms), ERR_OK);
}

void audit_rig_add(struct audit_rig *rig, enum audit_what what)
{
    struct audit_record record = {.what = what, .handle = 7, .pid = 1234, .uid_and_1 = 1001, .count = 1};
    audit_record_text(record.label, sizeof record.label, "browser");
    if (what == AUDIT_GAP) record.lost = 5;
    add(rig, &record);
}

void audit_rig_new_key(struct audit_rig *rig)
{
    uint8_t fingerprint[AUDIT_HASH];
    struct audit_record record = {.what = AUDIT_KEY};
    rig->key = keep(audit_key_new());
    cr_assert(audit_key_fingerprint(fingerprint, audit_key_public(rig->key)));
    audit_set_bytes(&record.public_key, audit_key_public(rig->key));
    audit_set_bytes(&record.fingerprint, (struct bytes){fingerprint, AUDIT_HASH});
    add(rig, &record);
}

void audit_rig_sign(struct audit_rig *rig, enum audit_what what)
{
    uint8_t signature[AUDIT_KEY_SIGNATURE], fingerprint[AUDIT_HASH];
    size_t len;
    struct audit_record record = {.what = what, .head = rig->log->records};
    uint8_t hash[AUDIT_HASH];
    memcpy(hash, rig->log->hash, AUDIT_HASH);
    if (what == AUDIT_END) audit_end_hash(hash, rig->log->hash);
    cr_assert_eq(audit_key_sign(rig->key, signature, &len, rig->log->records, hash), ERR_OK);
    cr_assert(audit_key_fingerprint(fingerprint, audit_key_public(rig->key)));
    audit_set_bytes(&record.hash, (struct bytes){rig->log->hash, AUDIT_HASH});
    audit_set_bytes(&record.fingerprint, (struct bytes){fingerprint, AUDIT_HASH});
    audit_set_bytes(&record.signature, (struct bytes){signature, len});
    if (what == AUDIT_END) now_ms = rig->log->last_ms;
    add(rig, &record);
}

void audit_rig_usual(struct audit_rig *rig)
{
    audit_rig_begin(rig);
    audit_rig_add(rig, AUDIT_START);
    audit_rig_new_key(rig);
    audit_rig_add(rig, AUDIT_MINTED);
    audit_rig_add(rig, AUDIT_SIGNED);
    audit_rig_sign(rig, AUDIT_HEAD);
    audit_rig_add(rig, AUDIT_REFUSED);
    audit_rig_add(rig, AUDIT_SIGNED);
    audit_rig_add(rig, AUDIT_REVOKED);
    audit_rig_add(rig, AUDIT_STOP);
    audit_rig_sign(rig, AUDIT_END);
}

void audit_rig_load(struct audit_rig *rig)
{
    static char text[AUDIT_RIG_LINES * (LIMIT_AUDIT_LINE + 1)];
    ssize_t len = pread(rig->fd, text, sizeof text - 1, 0);
    cr_assert_gt(len, 0);
    text[len] = '\0';
    rig->num = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        cr_assert_lt(rig->num, AUDIT_RIG_LINES);
        rig->lines[rig->num++] = keep(strdup(line));
    }
}

void audit_rig_hash(uint8_t out[AUDIT_HASH], const struct audit_rig *rig, size_t line)
{
    audit_line_hash(out, rig->lines[line], strlen(rig->lines[line]));
}

void audit_rig_rechain(struct audit_rig *rig, size_t from)
{
    for (size_t i = from; i < rig->num; i++) {
        char line[LIMIT_AUDIT_LINE + 1];
        struct audit_record record;
        cr_assert(audit_record_parse(&record, rig->lines[i], strlen(rig->lines[i])));
        if (i > 0) audit_rig_hash(record.prev, rig, i - 1);
        record.number = i + 1;
        audit_record_format(line, &record);
        rig->lines[i] = keep(strdup(line));
    }
}

struct audit_report audit_rig_verify_text(const char *text, size_t len, const struct audit_trust *trust)
{
    static const struct audit_trust nothing;
    struct audit_report report;
    struct audit_verify *verify = audit_verify_new(trust ? trust : &nothing, NULL, NULL);
    cr_assert_not_null(verify);
    /* In odd pieces, as a pipe might bring it. */
    for (size_t at = 0; at < len; at += 97) {
        if (!audit_verify_feed(verify, text + at, len - at < 97 ? len - at : 97)) break;
    }
    audit_verify_finish(verify, &report);
    audit_verify_free(verify);
    return report;
}

struct audit_report audit_rig_verify(const struct audit_rig *rig, const struct audit_trust *trust)
{
    static char text[AUDIT_RIG_LINES * (LIMIT_AUDIT_LINE + 1)];
    size_t len = 0;
    for (size_t i = 0; i < rig->num; i++) {
        size_t line_len = strlen(rig->lines[i]);
        memcpy(text + len, rig->lines[i], line_len);
        len += line_len;
        text[len++] = '\n';
    }
    return audit_rig_verify_text(text, len, trust);
}
