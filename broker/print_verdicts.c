#include "broker/print_verdicts.h"

#include <inttypes.h>
#include <jansson.h>
#include <time.h>

static void print_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        /* A name in RFC 2253's form has backslashes of its own, which steer nothing. */
        if (*at >= 0x20 && *at < 0x7f)
            fputc(*at, out);
        else
            fprintf(out, "\\x%02x", *at);
    }
}

static void print_time(FILE *out, uint64_t when_s)
{
    char text[32] = "?";
    struct tm date;
    const time_t seconds = (time_t)when_s;
    if (gmtime_r(&seconds, &date)) strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &date);
    fputs(text, out);
}

static void print_row(FILE *out, const char *name, const char *text)
{
    fprintf(out, "  %-14s ", name);
    print_text(out, text);
    fputc('\n', out);
}

static void print_certificate(FILE *out, const struct verdict *verdict)
{
    if (verdict->fingerprint[0] == '\0') {
        print_row(out, "shown", "no certificate");
        return;
    }
    print_row(out, "shown", verdict->subject);
    print_row(out, "issuer", verdict->issuer);
    print_row(out, "serial", verdict->serial);
    print_row(out, "SHA-256", verdict->fingerprint);
    fprintf(out, "  %-14s ", "valid");
    print_time(out, verdict->not_before);
    fputs(" to ", out);
    print_time(out, verdict->not_after);
    fputc('\n', out);
}

static void print_verdict(FILE *out, const struct verdict *verdict)
{
    print_time(out, verdict->last_ms / 1000);
    fputs("  ", out);
    print_text(out, verdict->address);
    if (verdict->count > 1) {
        fprintf(out, "  %" PRIu64 " times since ", verdict->count);
        print_time(out, verdict->first_ms / 1000);
    }
    fputc('\n', out);
    print_row(out, verdict_kind_name(verdict->kind), verdict->reason);
    print_certificate(out, verdict);
    print_row(out, "what to do", verdict->remedy);
}

void print_verdicts(FILE *out, const struct explanation *explanation, const char *host)
{
    if (explanation->num_verdicts == 0) {
        fputs("no handshake", out);
        if (host[0] != '\0') fputs(" of ", out);
        print_text(out, host);
        fputs(" is known to have failed\n", out);
    }
    for (size_t i = 0; i < explanation->num_verdicts; i++) {
        if (i > 0) fputc('\n', out);
        print_verdict(out, &explanation->verdicts[i]);
    }
    if (explanation->silent > 0)
        fprintf(out, "\n%u web worker%s did not answer: what they know is missing\n", (unsigned)explanation->silent,
                explanation->silent == 1 ? "" : "s");
}

static json_t *certificate_of(const struct verdict *verdict)
{
    if (verdict->fingerprint[0] == '\0') return json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "subject", verdict->subject, "issuer", verdict->issuer, "serial",
                     verdict->serial, "fingerprint", verdict->fingerprint, "not_before",
                     (json_int_t)verdict->not_before, "not_after", (json_int_t)verdict->not_after);
}

static json_t *json_of(const struct verdict *verdict)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:o}", "address", verdict->address, "kind",
                     verdict_kind_name(verdict->kind), "count", (json_int_t)verdict->count, "first",
                     (json_int_t)verdict->first_ms, "last", (json_int_t)verdict->last_ms, "reason", verdict->reason,
                     "remedy", verdict->remedy, "certificate", certificate_of(verdict));
}

enum err print_verdicts_json(FILE *out, const struct explanation *explanation)
{
    json_t *array = json_array();
    bool whole = array != NULL;
    for (size_t i = 0; whole && i < explanation->num_verdicts; i++)
        whole = json_array_append_new(array, json_of(&explanation->verdicts[i])) == 0;
    if (whole) whole = json_dumpf(array, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0;
    json_decref(array);
    if (whole) fputc('\n', out);
    return whole ? ERR_OK : ERR_MEMORY;
}
