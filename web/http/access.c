#include "web/http/access.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "proto/field.h"
#include "web/http/date.h"

/* What a value may take in a line. Together with all that is fixed they are less than ACCESS_LINE. */
enum { MAX_PEER = 100, MAX_SUBJECT = 640, MAX_PATH = 1200, MAX_REFERER = 800, MAX_AGENT = 640, MAX_WORD = 100 };
_Static_assert(MAX_PEER + MAX_SUBJECT + MAX_PATH + MAX_REFERER + MAX_AGENT + 3 * MAX_WORD + 300 < ACCESS_LINE,
               "every line fits");

/* For two escapes of any number. */
enum { ESCAPE_ROOM = 24 };

struct line {
    char *out;
    size_t len;
};

static void __attribute__((format(printf, 2, 3))) put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line->out + line->len, ACCESS_LINE - line->len, format, args);
    va_end(args);
    CHECK(len >= 0 && (size_t)len < ACCESS_LINE - line->len);
    line->len += (size_t)len;
}

/* The character at text, which is well-formed UTF-8, and how many bytes it has. */
static unsigned decode(const unsigned char *text, size_t *out_len)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t len = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    unsigned c = text[0] & first_bits[len];
    for (size_t i = 1; i < len; i++) c = c << 6 | (text[i] & 0x3fu);
    *out_len = len;
    return c;
}

/* Writes one character of a JSON string to out. */
static void escape_json(char out[ESCAPE_ROOM], unsigned c)
{
    if (c == '"' || c == '\\')
        snprintf(out, ESCAPE_ROOM, "\\%c", (int)c);
    else if (c < 0x80)
        snprintf(out, ESCAPE_ROOM, "%c", (int)c);
    else if (c < 0x10000)
        snprintf(out, ESCAPE_ROOM, "\\u%04x", c);
    else /* a surrogate pair (RFC 8259, 7) */
        snprintf(out, ESCAPE_ROOM, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
}

/* "text", in at most max bytes. */
static void put_json(struct line *line, const char *text, size_t max)
{
    char clean[MAX_PATH + 1];
    field_text_repair(clean, sizeof(clean), text);
    bool cut = text != NULL && strlen(text) >= sizeof(clean);
    size_t end = line->len + max - sizeof("...\"");
    put(line, "\"");
    for (const unsigned char *at = (const unsigned char *)clean; *at != '\0';) {
        char escaped[ESCAPE_ROOM];
        size_t len;
        escape_json(escaped, decode(at, &len));
        if (line->len + strlen(escaped) > end) {
            cut = true;
            break;
        }
        put(line, "%s", escaped);
        at += len;
    }
    put(line, "%s\"", cut ? "..." : "");
}

static void put_member(struct line *line, const char *name, const char *text, size_t max)
{
    put(line, ",\"%s\":", name);
    put_json(line, text, max);
}

void access_json(char out[ACCESS_LINE], const struct access_record *record)
{
    struct line line = {.out = out};
    char time[DATE_ISO_LEN + 1];
    date_iso(time, record->time_ms);
    put(&line, "{\"time\":\"%s\",\"id\":\"%s\"", time, record->request_id);
    put_member(&line, "peer", record->peer, MAX_PEER);
    put_member(&line, "subject", record->subject, MAX_SUBJECT);
    put_member(&line, "serial", record->serial, MAX_WORD);
    put_member(&line, "method", record->method, MAX_WORD);
    put_member(&line, "path", record->path, MAX_PATH);
    put_member(&line, "protocol", record->protocol, MAX_WORD);
    put(&line, ",\"status\":%u,\"bytes\":%llu,\"ms\":%llu", record->status, (unsigned long long)record->bytes,
        (unsigned long long)record->duration_ms);
    if (record->referer != NULL) put_member(&line, "referer", record->referer, MAX_REFERER);
    if (record->user_agent != NULL) put_member(&line, "user_agent", record->user_agent, MAX_AGENT);
    put(&line, "}");
}

void access_stream_json(char out[ACCESS_LINE], const struct access_stream *record)
{
    struct line line = {.out = out};
    char time[DATE_ISO_LEN + 1];
    date_iso(time, record->time_ms);
    put(&line, "{\"time\":\"%s\",\"id\":\"%s\"", time, record->id);
    put_member(&line, "peer", record->peer, MAX_PEER);
    put_member(&line, "subject", record->subject, MAX_SUBJECT);
    put_member(&line, "serial", record->serial, MAX_WORD);
    put_member(&line, "listener", record->listener, MAX_PATH);
    put_member(&line, "upstream", record->upstream, MAX_REFERER);
    put(&line, ",\"in\":%llu,\"out\":%llu,\"ms\":%llu", (unsigned long long)record->from_client,
        (unsigned long long)record->to_client, (unsigned long long)record->duration_ms);
    put_member(&line, "end", record->end, MAX_WORD);
    put(&line, "}");
}

/* Text in at most max bytes, with what would end the field or the line as \xHH; "-" for nothing. */
static void put_escaped(struct line *line, const char *text, const char *special, size_t max)
{
    size_t end = line->len + max - sizeof("...");
    if (text == NULL || text[0] == '\0') {
        put(line, "-");
        return;
    }
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool plain = *at >= 0x20 && *at < 0x7f && *at != '\\' && strchr(special, *at) == NULL;
        if (line->len + (plain ? 1u : 4u) > end) {
            put(line, "...");
            return;
        }
        put(line, plain ? "%c" : "\\x%02x", *at);
    }
}

/* "06/Nov/1994:08:49:37 +0000", of "Sun, 06 Nov 1994 08:49:37 GMT". */
static void put_time(struct line *line, uint64_t time_ms)
{
    char date[DATE_HTTP_LEN + 1];
    date_http(date, time_ms / 1000);
    put(line, "[%.2s/%.3s/%.4s:%.8s +0000]", date + 5, date + 8, date + 12, date + 17);
}

static void put_host(struct line *line, const char *peer)
{
    char host[MAX_PEER];
    const char *colon = peer != NULL ? strrchr(peer, ':') : NULL;
    size_t len = colon != NULL ? (size_t)(colon - peer) : strlen(peer != NULL ? peer : "");
    if (len > 1 && peer[0] == '[' && peer[len - 1] == ']') {
        peer++;
        len -= 2;
    }
    snprintf(host, sizeof(host), "%.*s", (int)(len < sizeof(host) ? len : sizeof(host)), peer != NULL ? peer : "");
    put_escaped(line, host, " \"", MAX_PEER);
}

void access_combined(char out[ACCESS_LINE], const struct access_record *record)
{
    struct line line = {.out = out};
    put_host(&line, record->peer);
    put(&line, " - ");
    put_escaped(&line, record->subject, " \"[]", MAX_SUBJECT);
    put(&line, " ");
    put_time(&line, record->time_ms);
    put(&line, " \"");
    put_escaped(&line, record->method, " \"", MAX_WORD);
    put(&line, " ");
    put_escaped(&line, record->path, " \"", MAX_PATH);
    put(&line, " ");
    put_escaped(&line, record->protocol, " \"", MAX_WORD);
    put(&line, "\" %u %llu \"", record->status, (unsigned long long)record->bytes);
    put_escaped(&line, record->referer, "\"", MAX_REFERER);
    put(&line, "\" \"");
    put_escaped(&line, record->user_agent, "\"", MAX_AGENT);
    put(&line, "\" \"%s\"", record->request_id);
}
