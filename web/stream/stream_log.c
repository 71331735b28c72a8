#include "base/clock.h"
#include "base/log.h"
#include "web/stream/streams_internal.h"

enum { LOG_LINES_PER_SECOND = 100 };

static void log_text(const struct access_stream *record)
{
    log_line(
        "stream peer=%s listener=%s upstream=%s subject=%s serial=%s in=%llu out=%llu seconds=%llu.%03u end=%s id=%s",
        log_quote(record->peer), log_quote(record->listener), log_quote(record->upstream), log_quote(record->subject),
        record->serial, (unsigned long long)record->from_client, (unsigned long long)record->to_client,
        (unsigned long long)(record->duration_ms / 1000), (unsigned)(record->duration_ms % 1000),
        log_quote(record->end), record->id);
}

void stream_log(const struct stream *stream)
{
    struct streams *streams = stream->streams;
    const struct stream_route *route = &streams->config.routes[stream->route];
    const uint64_t now = clock_monotonic_ms();
    uint64_t withheld;
    char line[ACCESS_LINE];
    if (streams->config.access == ACCESS_NONE ||
        !log_rate_admit(&streams->access_log, &withheld, now, LOG_LINES_PER_SECOND))
        return;
    if (withheld > 0) log_line("too many streams to log them all withheld=%llu", (unsigned long long)withheld);
    const struct access_stream record = {
        .time_ms = clock_wall_ms(),
        .duration_ms = now - stream->begun_ms,
        .id = stream->id,
        .peer = stream->peer->address,
        .subject = stream->peer->certificate.subject,
        .serial = stream->peer->certificate.serial,
        .listener = route->address,
        .upstream = route->upstream,
        .from_client = stream->from_client,
        .to_client = stream->to_client,
        .end = stream->end,
    };
    if (streams->config.access != ACCESS_JSON) {
        log_text(&record);
        return;
    }
    access_stream_json(line, &record);
    streams->host.log_line(streams->host.context, line);
}
