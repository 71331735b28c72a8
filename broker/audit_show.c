#include "broker/audit_show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/audit_json.h"

#define RED "\033[1;31m"
#define NORMAL "\033[0m"

/* Code points that change how those around them are shown: controls, directions, joiners, fillers; and what has no look. */
static const struct {
    uint32_t first, last;
} unseen[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},
              {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
              {0x2060, 0x206f}, {0x3164, 0x3164}, {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
              {0xffa0, 0xffa0}, {0xfff0, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff}};

static bool is_seen(uint32_t point)
{
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) {
        if (point >= unseen[i].first && point <= unseen[i].last) return false;
    }
    return true;
}

static void put_words(FILE *out, const char *text)
{
    while (*text != '\0') {
        uint32_t point;
        char bytes[4];
        text += audit_json_point(&point, text);
        if (is_seen(point)) {
            fwrite(bytes, 1, audit_json_utf8(bytes, point), out);
        } else {
            fprintf(out, "\\u{%x}", (unsigned)point);
        }
    }
}

static void put_member(FILE *out, const char *name, const char *text)
{
    if (*text == '\0') return;
    fprintf(out, " %s'", name);
    put_words(out, text);
    fputc('\'', out);
}

static void put_number(FILE *out, const char *name, uint64_t value)
{
    if (value != 0) fprintf(out, " %s%llu", name, (unsigned long long)value);
}

static void put_bytes(FILE *out, const char *name, const struct audit_bytes *bytes)
{
    char hex[2 * LIMIT_AUDIT_KEY + 1];
    if (bytes->len == 0) return;
    bytes_hex(hex, (struct bytes){bytes->data, bytes->len});
    fprintf(out, " %s%s", name, hex);
}

static bool stands_out(enum audit_what what)
{
    return what == AUDIT_REFUSED || what == AUDIT_CUT || what == AUDIT_BLOCKED || what == AUDIT_GAP ||
           what == AUDIT_TORN;
}

static void put_time(FILE *out, uint64_t ms)
{
    char text[40] = "?";
    struct tm date;
    time_t seconds = (time_t)(ms / 1000);
    if (localtime_r(&seconds, &date)) strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &date);
    fprintf(out, "%s.%03u", text, (unsigned)(ms % 1000));
}

void audit_show(FILE *out, const struct audit_record *record, enum audit_colour colour)
{
    bool loud = stands_out(record->what), coloured = loud && colour == AUDIT_COLOURED;
    fprintf(out, "%8llu  ", (unsigned long long)record->number);
    put_time(out, record->time_ms);
    fprintf(out, "  %s%c %-20s%s", coloured ? RED : "", loud ? '!' : ' ', audit_what_name(record->what),
            coloured ? NORMAL : "");
    put_number(out, "handle ", record->handle);
    put_number(out, "of ", record->parent);
    put_member(out, "", record->label);
    put_member(out, "process ", record->process);
    put_member(out, "for ", record->purpose);
    put_member(out, "key ", record->key);
    put_number(out, "pid ", record->pid);
    if (record->uid_and_1 != 0) fprintf(out, " uid %llu", (unsigned long long)record->uid_and_1 - 1);
    put_member(out, "server ", record->server);
    put_member(out, "because ", record->reason);
    put_number(out, "times ", record->count);
    put_number(out, "refused ", record->refusals);
    put_member(out, "policy ", record->policy);
    put_member(out, "", record->text);
    put_number(out, "lost ", record->lost);
    put_number(out, "of record ", record->head);
    put_bytes(out, "fingerprint ", &record->fingerprint);
    fputc('\n', out);
}

void audit_show_json(FILE *out, const struct audit_record *record)
{
    char line[LIMIT_AUDIT_LINE + 1];
    size_t len = audit_record_format(line, record);
    line[len] = '\n';
    fwrite(line, 1, len + 1, out);
}
