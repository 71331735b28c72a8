/* A log line as JSON. Part of base/log.h, which is what to include. */
#ifndef KEYWARD_BASE_LOG_JSON_H
#define KEYWARD_BASE_LOG_JSON_H

#include <stddef.h>
#include <stdint.h>

/* All texts are printable ASCII. */
struct log_event {
    uint64_t time_ms; /* since the epoch */
    const char *level;
    const char *process;
    int pid;
    const char *text; /* "EVENT key=value key='two words'" */
};

/* log_json writes the event as one JSON object (RFC 8259), without a line's end, and returns its length, below size, which is at least
 * LOG_RAW / 2. Fields that do not fit are left out, each of them whole; a text that does not fit is cut. */
size_t log_json(char *out, size_t size, const struct log_event *event);

#endif
