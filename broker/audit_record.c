#include "broker/audit_record.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "broker/audit_json.h"
#include "broker/audit_time.h"
#include "proto/field.h"

static const char *const names[AUDIT_NUM] = {
    [AUDIT_NONE] = "none",
    [AUDIT_START] = "start",
    [AUDIT_KEY] = "key",
    [AUDIT_STARTED] = "started",
    [AUDIT_ENDED] = "ended",
    [AUDIT_GRANTED] = "granted",
    [AUDIT_MINTED] = "minted",
    [AUDIT_RESTRICTED] = "restricted",
    [AUDIT_PINNED] = "pinned",
    [AUDIT_SIGNED] = "signed",
    [AUDIT_REFUSED] = "refused",
    [AUDIT_CUT] = "cut",
    [AUDIT_CLOSED] = "closed",
    [AUDIT_REVOKED] = "revoked",
    [AUDIT_EXPIRED] = "expired",
    [AUDIT_CERTIFICATE] = "certificate-revoked",
    [AUDIT_SERVER] = "server-signatures",
    [AUDIT_BLOCKED] = "blocked",
    [AUDIT_UNBLOCKED] = "unblocked",
    [AUDIT_GAP] = "gap",
    [AUDIT_TORN] = "torn",
    [AUDIT_HEAD] = "head",
    [AUDIT_STOP] = "stop",
    [AUDIT_END] = "end",
    [AUDIT_RELOAD] = "reloaded",
};

enum field_kind { FIELD_NUMBER, FIELD_LESS_ONE, FIELD_TEXT, FIELD_BYTES };

#define MEMBER(name, kind, member)                                                                    \
    {                                                                                                 \
        name, kind, offsetof(struct audit_record, member), sizeof(((struct audit_record *)0)->member) \
    }

/* What stands between "what" and "prev", in this order. */
static const struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    size_t size;
} fields[] = {
    MEMBER("handle", FIELD_NUMBER, handle),
    MEMBER("parent", FIELD_NUMBER, parent),
    MEMBER("label", FIELD_TEXT, label),
    MEMBER("purpose", FIELD_TEXT, purpose),
    MEMBER("key", FIELD_TEXT, key),
    MEMBER("pid", FIELD_NUMBER, pid),
    MEMBER("uid", FIELD_LESS_ONE, uid_and_1),
    MEMBER("server", FIELD_TEXT, server),
    MEMBER("reason", FIELD_TEXT, reason),
    MEMBER("count", FIELD_NUMBER, count),
    MEMBER("refusals", FIELD_NUMBER, refusals),
    MEMBER("process", FIELD_TEXT, process),
    MEMBER("policy", FIELD_TEXT, policy),
    MEMBER("text", FIELD_TEXT, text),
    MEMBER("lost", FIELD_NUMBER, lost),
    MEMBER("head", FIELD_NUMBER, head),
    MEMBER("hash", FIELD_BYTES, hash),
    MEMBER("fingerprint", FIELD_BYTES, fingerprint),
    MEMBER("public", FIELD_BYTES, public_key),
    MEMBER("signature", FIELD_BYTES, signature),
};

#define NUM_FIELDS (sizeof fields / sizeof *fields)

/* Words have no control characters, so that a byte of them is never more than three of a line: a character of two bytes
 * of UTF-8 is written in six. Names and numbers of all members take less than 640. */
_Static_assert(640 + 3 * (5 * LIMIT_LABEL + LIMIT_NAME + 2 * LIMIT_AUDIT_TEXT) + 4 * 2 * LIMIT_AUDIT_KEY <=
                   LIMIT_AUDIT_LINE,
               "the fullest record fits");

const char *audit_what_name(enum audit_what what)
{
    unsigned index = (unsigned)what;
    return index < AUDIT_NUM ? names[index] : "unknown";
}

void audit_record_text(char *out, size_t out_len, const char *text)
{
    field_text_repair(out, out_len, text);
}

void audit_set_bytes(struct audit_bytes *out, struct bytes bytes)
{
    CHECK(bytes.len <= sizeof out->data);
    memcpy(out->data, bytes.data, bytes.len);
    out->len = (uint8_t)bytes.len;
}

static bool field_is_empty(const struct field *field, const void *value)
{
    if (field->kind == FIELD_TEXT) return *(const char *)value == '\0';
    if (field->kind == FIELD_BYTES) return ((const struct audit_bytes *)value)->len == 0;
    return *(const uint64_t *)value == 0;
}

static char *write_field(char *at, const struct field *field, const void *value)
{
    at += sprintf(at, ",\"%s\":", field->name);
    switch (field->kind) {
    case FIELD_NUMBER: return at + sprintf(at, "%llu", (unsigned long long)*(const uint64_t *)value);
    case FIELD_LESS_ONE: return at + sprintf(at, "%llu", (unsigned long long)*(const uint64_t *)value - 1);
    case FIELD_TEXT: return at + audit_json_write(at, value);
    case FIELD_BYTES: break;
    }
    const struct audit_bytes *bytes = value;
    *at++ = '"';
    bytes_hex(at, (struct bytes){bytes->data, bytes->len});
    at += 2u * bytes->len;
    *at++ = '"';
    return at;
}

size_t audit_record_format(char out[LIMIT_AUDIT_LINE + 1], const struct audit_record *record)
{
    char time[AUDIT_TIME + 1], prev[2 * AUDIT_HASH + 1];
    audit_time_format(time, record->time_ms);
    bytes_hex(prev, (struct bytes){record->prev, AUDIT_HASH});
    char *at = out + sprintf(out, "{\"n\":%llu,\"time\":\"%s\",\"what\":\"%s\"", (unsigned long long)record->number,
                             time, audit_what_name(record->what));
    for (size_t i = 0; i < NUM_FIELDS; i++) {
        const void *value = (const char *)record + fields[i].offset;
        if (!field_is_empty(&fields[i], value)) at = write_field(at, &fields[i], value);
    }
    at += sprintf(at, ",\"prev\":\"%s\"}", prev);
    CHECK((size_t)(at - out) <= LIMIT_AUDIT_LINE);
    return (size_t)(at - out);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static bool take(const char **at, const char *end, const char *wanted)
{
    size_t len = strlen(wanted);
    if ((size_t)(end - *at) < len || memcmp(*at, wanted, len) != 0) return false;
    *at += len;
    return true;
}

static bool read_number(uint64_t *out, const char **at, const char *end)
{
    const char *begin = *at;
    *out = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (__builtin_mul_overflow(*out, 10u, out) || __builtin_add_overflow(*out, (uint64_t)(**at - '0'), out))
            return false;
    }
    return *at != begin;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(uint8_t *out, size_t *out_len, size_t max, const char **at, const char *end)
{
    *out_len = 0;
    if (!take(at, end, "\"")) return false;
    for (; end - *at >= 2 && **at != '"'; *at += 2) {
        int high = digit_of((*at)[0]), low = digit_of((*at)[1]);
        if (high < 0 || low < 0 || *out_len == max) return false;
        out[(*out_len)++] = (uint8_t)(high << 4 | low);
    }
    return take(at, end, "\"");
}

static bool read_field(const struct field *field, void *value, const char **at, const char *end)
{
    size_t len;
    struct audit_bytes *bytes = value;
    switch (field->kind) {
    case FIELD_NUMBER: return read_number(value, at, end);
    case FIELD_LESS_ONE: return read_number(value, at, end) && ++*(uint64_t *)value != 0;
    case FIELD_TEXT: return audit_json_read(value, field->size, at, end) && field_text(value, 1, field->size - 1);
    case FIELD_BYTES: break;
    }
    if (!read_hex(bytes->data, &len, sizeof bytes->data, at, end)) return false;
    bytes->len = (uint8_t)len;
    return true;
}

static bool read_what(enum audit_what *out, const char **at, const char *end)
{
    char name[LIMIT_LABEL];
    if (!audit_json_read(name, sizeof name, at, end)) return false;
    for (unsigned i = AUDIT_NONE + 1; i < AUDIT_NUM; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum audit_what)i;
            return true;
        }
    }
    return false;
}

static bool read_outset(struct audit_record *out, const char **at, const char *end)
{
    if (!take(at, end, "{\"n\":") || !read_number(&out->number, at, end) || !take(at, end, ",\"time\":\""))
        return false;
    if ((size_t)(end - *at) < AUDIT_TIME || !audit_time_parse(&out->time_ms, *at)) return false;
    *at += AUDIT_TIME;
    return take(at, end, "\",\"what\":") && read_what(&out->what, at, end);
}

static bool read_members(struct audit_record *out, const char **at, const char *end)
{
    size_t len;
    for (size_t i = 0; i < NUM_FIELDS; i++) {
        char opening[LIMIT_LABEL];
        snprintf(opening, sizeof opening, ",\"%s\":", fields[i].name);
        if (take(at, end, opening) && !read_field(&fields[i], (char *)out + fields[i].offset, at, end)) return false;
    }
    return take(at, end, ",\"prev\":") && read_hex(out->prev, &len, AUDIT_HASH, at, end) && len == AUDIT_HASH &&
           take(at, end, "}") && *at == end;
}

/* What can be read is written again: only what comes out the same is a record. That also refuses leading zeros, needless
 * escapes, empty members, and words that are not such as the broker writes. */
bool audit_record_parse(struct audit_record *out, const char *line, size_t len)
{
    char again[LIMIT_AUDIT_LINE + 1];
    const char *at = line;
    *out = (struct audit_record){0};
    if (len > LIMIT_AUDIT_LINE || !read_outset(out, &at, line + len) || !read_members(out, &at, line + len))
        return false;
    return audit_record_format(again, out) == len && memcmp(again, line, len) == 0;
}
