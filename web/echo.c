#include "web/echo.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "web/timestamp.h"

struct echo_session {
    struct session session; /* first, so that the two pointers are one */
    const struct session_peer *peer;
    uint64_t *lines_total;
    unsigned idle_ms;
    uint64_t deadline;
    unsigned num_lines;
    bool ending;   /* no more lines are taken; what is in out is the last */
    uint8_t *line; /* the unfinished one; allocated while there is one, so that an idle connection holds no buffer */
    size_t line_len;
    uint8_t *out; /* from out_at to out_len is still to be sent */
    size_t out_at, out_len, out_cap;
};

static struct echo_session *echo_of(struct session *session)
{
    return (struct echo_session *)session;
}

/* What is to be sent is bounded by LIMIT_ECHO_LINES answers: receive is only called when all before has been sent. */
static int out_append(struct echo_session *echo, const void *data, size_t len)
{
    if (len > echo->out_cap - echo->out_len) {
        size_t cap = echo->out_len + len + 1024 + echo->out_cap;
        uint8_t *bigger = realloc(echo->out, cap);
        if (bigger == NULL) return -1;
        echo->out = bigger;
        echo->out_cap = cap;
    }
    memcpy(echo->out + echo->out_len, data, len);
    echo->out_len += len;
    return 0;
}

static void end_with(struct echo_session *echo, const char *text)
{
    if (echo->ending) return;
    echo->ending = true;
    (void)out_append(echo, text, strlen(text)); /* without memory, the end comes without a word */
}

static size_t format_prefix(const struct echo_session *echo, char *out, size_t out_len)
{
    char stamp[TIMESTAMP_SIZE];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    timestamp_format(stamp, (uint64_t)now.tv_sec, (unsigned)(now.tv_nsec / 1000000));
    int len = snprintf(out, out_len, "%s %s ", stamp, echo->peer->address);
    CHECK(len > 0 && (size_t)len < out_len);
    return (size_t)len;
}

static void answer_line(struct echo_session *echo, const uint8_t *line, size_t len)
{
    if (echo->num_lines == LIMIT_ECHO_LINES) {
        end_with(echo, "error: too many lines for one connection\n");
        return;
    }
    if (len > 0 && line[len - 1] == '\r') len--;
    if (len > LIMIT_ECHO_LINE) {
        end_with(echo, "error: line too long\n");
        return;
    }
    char prefix[128];
    size_t prefix_len = format_prefix(echo, prefix, sizeof prefix);
    if (out_append(echo, prefix, prefix_len) != 0 || out_append(echo, line, len) != 0 ||
        out_append(echo, "\n", 1) != 0) {
        echo->ending = true;
        return;
    }
    echo->num_lines++;
    ++*echo->lines_total;
}

/* Keeps the beginning of a line that has not ended. One byte more than the limit, for the CR. */
static void keep_rest(struct echo_session *echo, const uint8_t *data, size_t len)
{
    enum { CAP = LIMIT_ECHO_LINE + 1 };
    if (len > CAP - echo->line_len) {
        end_with(echo, "error: line too long\n");
        return;
    }
    if (echo->line == NULL) echo->line = malloc(CAP);
    if (echo->line == NULL) {
        echo->ending = true;
        return;
    }
    memcpy(echo->line + echo->line_len, data, len);
    echo->line_len += len;
}

static void answer_kept(struct echo_session *echo)
{
    answer_line(echo, echo->line, echo->line_len);
    free(echo->line);
    echo->line = NULL;
    echo->line_len = 0;
}

static enum err echo_receive(struct session *session, const uint8_t *data, size_t len)
{
    struct echo_session *echo = echo_of(session);
    echo->deadline = clock_monotonic_ms() + echo->idle_ms;
    while (len > 0 && !echo->ending) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t part = end != NULL ? (size_t)(end - data) : len;
        if (end != NULL && echo->line_len == 0) {
            answer_line(echo, data, part);
        } else {
            keep_rest(echo, data, part);
            if (end != NULL && !echo->ending) answer_kept(echo);
        }
        if (end != NULL) part++;
        data += part;
        len -= part;
    }
    return ERR_OK;
}

static void echo_receive_end(struct session *session)
{
    struct echo_session *echo = echo_of(session);
    if (echo->line_len > 0 && !echo->ending) answer_kept(echo);
    echo->ending = true;
}

static size_t echo_produce(struct session *session, uint8_t *out, size_t cap)
{
    struct echo_session *echo = echo_of(session);
    size_t len = echo->out_len - echo->out_at;
    if (len > cap) len = cap;
    if (len == 0) return 0;
    memcpy(out, echo->out + echo->out_at, len);
    echo->out_at += len;
    if (echo->out_at == echo->out_len) {
        free(echo->out);
        echo->out = NULL;
        echo->out_at = echo->out_len = echo->out_cap = 0;
    }
    return len;
}

static unsigned echo_wants(const struct session *session)
{
    const struct echo_session *echo = (const struct echo_session *)session;
    unsigned wants = echo->out_len > 0 ? SESSION_WRITE : 0;
    if (echo->ending) return wants | SESSION_CLOSE;
    return wants != 0 ? wants : SESSION_READ;
}

static uint64_t echo_deadline(const struct session *session)
{
    return ((const struct echo_session *)session)->deadline;
}

static void echo_expire(struct session *session)
{
    end_with(echo_of(session), "error: no line for too long\n");
}

static void echo_drain(struct session *session)
{
    end_with(echo_of(session), "error: the server is stopping\n");
}

static void echo_free(struct session *session)
{
    struct echo_session *echo = echo_of(session);
    free(echo->line);
    free(echo->out);
    free(echo);
}

struct session *echo_session_new(const struct session_peer *peer, uint64_t *lines, unsigned idle_ms)
{
    static const struct session_ops ops = {
        .receive = echo_receive,
        .receive_end = echo_receive_end,
        .produce = echo_produce,
        .wants = echo_wants,
        .deadline = echo_deadline,
        .expire = echo_expire,
        .drain = echo_drain,
        .free = echo_free,
    };
    struct echo_session *echo = calloc(1, sizeof *echo);
    if (echo == NULL) return NULL;
    echo->session.ops = &ops;
    echo->peer = peer;
    echo->lines_total = lines;
    echo->idle_ms = idle_ms;
    echo->deadline = clock_monotonic_ms() + idle_ms;
    return &echo->session;
}
