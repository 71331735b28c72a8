#include "base/log_json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What a line has behind its last field. */
#define END "}}"

struct out {
    char *at, *end; /* before the NUL */
    bool full;      /* something did not fit */
};

static void put_char(struct out *out, char c)
{
    out->full = out->full || out->at == out->end;
    if (!out->full) *out->at++ = c;
}

static void put(struct out *out, const char *text)
{
    for (; *text != '\0'; text++) put_char(out, *text);
}

/* "text". One that is too long loses its end, if it may, and is closed nevertheless. */
static void put_string(struct out *out, const char *text, size_t len, size_t max)
{
    const char *const begin = out->at;
    put_char(out, '"');
    for (size_t i = 0; i < len && (size_t)(out->at - begin) + 3 < max; i++) {
        if (text[i] == '"' || text[i] == '\\') put_char(out, '\\');
        put_char(out, text[i]);
    }
    put_char(out, '"');
}

/* Civil from days (proleptic Gregorian, of which years begin in March here): libc would want to read the time zone's file. */
static void put_time(struct out *out, uint64_t time_ms)
{
    char text[40];
    const uint64_t seconds = time_ms / 1000, day_s = seconds % 86400;
    const uint64_t days = seconds / 86400 + 719468, era = days / 146097, of_era = days % 146097;
    const uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const uint64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(year + era * 400 + (month >= 10)),
             (unsigned)(month < 10 ? month + 3 : month - 9), (unsigned)(of_year - (153 * month + 2) / 5 + 1),
             (unsigned)(day_s / 3600), (unsigned)(day_s / 60 % 60), (unsigned)(day_s % 60), (unsigned)(time_ms % 1000));
    put(out, text);
}

/* A field of the text: key=value, behind a blank. */
struct field {
    const char *key, *value;
    size_t key_len, value_len;
    const char *next;
};

/* Reads the field that the text begins with; false if it begins with none. */
static bool read_field(struct field *out, const char *text)
{
    out->key = text;
    out->key_len = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    if (out->key_len == 0 || text[out->key_len] != '=') return false;
    out->value = text + out->key_len + 1;
    if (*out->value != '\'') {
        out->value_len = strcspn(out->value, " ");
        out->next = out->value + out->value_len;
        return true;
    }
    out->value++;
    out->value_len = strcspn(out->value, "'");
    out->next = out->value + out->value_len + (out->value[out->value_len] == '\'');
    return true;
}

static bool next_field(struct field *out, const char *text)
{
    for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, ' ')) {
        if (*at == ' ') at++;
        if (read_field(out, at)) return true;
    }
    return false;
}

/* The length of the words before the first field, colon or semicolon. */
static size_t event_len(const char *text)
{
    struct field first;
    size_t len = next_field(&first, text) ? (size_t)(first.key - text) : strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ';' || (text[i] == ':' && (text[i + 1] == ' ' || text[i + 1] == '\0'))) len = i;
    }
    while (len > 0 && text[len - 1] == ' ') len--;
    return len;
}

/* The event is the same whichever worker it is about: "web ended" of "web[0] ended". */
static void put_event(struct out *out, const char *text)
{
    char event[128];
    size_t len = 0, end = event_len(text);
    for (size_t i = 0; i < end && len < sizeof event; i++) {
        const size_t digits = text[i] == '[' ? strspn(text + i + 1, "0123456789") : 0;
        if (digits > 0 && text[i + 1 + digits] == ']')
            i += digits + 1;
        else
            event[len++] = text[i];
    }
    put_string(out, event, len, SIZE_MAX);
}

/* One that does not fit is taken back. */
static void put_field(struct out *out, const struct field *field, bool first)
{
    char *const begin = out->at;
    if (!first) put_char(out, ',');
    put_string(out, field->key, field->key_len, SIZE_MAX);
    put_char(out, ':');
    put_string(out, field->value, field->value_len, SIZE_MAX);
    if (out->full) out->at = begin;
}

static void put_fields(struct out *out, const char *text)
{
    struct field field;
    const char *const begin = out->at;
    for (const char *at = text; !out->full && next_field(&field, at); at = field.next)
        put_field(out, &field, out->at == begin);
}

size_t log_json(char *text, size_t size, const struct log_event *event)
{
    char pid[16];
    struct out out = {.at = text, .end = text + size - sizeof END};
    snprintf(pid, sizeof pid, "%d", event->pid);
    put(&out, "{\"time\":\"");
    put_time(&out, event->time_ms);
    put(&out, "\",\"level\":");
    put_string(&out, event->level, strlen(event->level), 16);
    put(&out, ",\"process\":");
    put_string(&out, event->process, strlen(event->process), 128);
    put(&out, ",\"pid\":");
    put(&out, pid);
    put(&out, ",\"event\":");
    put_event(&out, event->text);
    put(&out, ",\"text\":");
    put_string(&out, event->text, strlen(event->text), size / 2);
    put(&out, ",\"fields\":{");
    put_fields(&out, event->text);
    memcpy(out.at, END, sizeof END);
    return (size_t)(out.at - text) + strlen(END);
}
