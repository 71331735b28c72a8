#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_json.h"

/* A write of at most PIPE_BUF bytes to a pipe is not interleaved with another's (pipe(7)). */
_Static_assert(LOG_LINE <= 4096 && LOG_RAW <= 4096, "a log line must be one atomic write");

#define LOG_PROCESS 64
#define LOG_QUOTE 512
#define LOG_QUOTES 8
#define LOG_LOST_ROOM 48

static char log_process[LOG_PROCESS] = "keyward";
static unsigned long log_lost;
static unsigned log_style;
static int log_pid;

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

static const struct {
    const char *name;
    const char *prefix; /* journald's: syslog(3) has the numbers */
} log_levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>"},
    [LOG_LEVEL_WARNING] = {"warning", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "<6>"},
};

static bool log_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f;
}

/* log_escape writes c as \xHH and returns the end. */
static char *log_escape(char *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = 'x';
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
    return out;
}

/* log_copy appends text to out, escaped, as far as it fits before end. */
static char *log_copy(char *out, const char *end, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (end - out < (log_plain(c) ? 1 : 4)) break;
        if (log_plain(c))
            *out++ = (char)c;
        else
            out = log_escape(out, c);
    }
    return out;
}

void log_open(const char *process)
{
    char *end = log_copy(log_process, log_process + sizeof(log_process) - 1, process);
    *end = '\0';
    log_pid = getpid(); /* now: a sandbox may not have it */
}

void log_set_style(unsigned style)
{
    log_style = style;
}

/* Variables are inherited, and standard error may have been led elsewhere since: so systemd.exec(5) has one compare. */
unsigned log_stderr_style(void)
{
    char is[64];
    struct stat st;
    const char *journal = getenv("JOURNAL_STREAM");
    if (journal == NULL || fstat(STDERR_FILENO, &st) != 0) return 0;
    snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return strcmp(is, journal) == 0 ? LOG_STYLE_JOURNAL : 0;
}

/* Standard error is shared with other processes, so its O_NONBLOCK is not ours to set: ask first. A pipe whose reader is
 * gone (POLLERR) would raise SIGPIPE. */
static bool log_may_write(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && out.revents == POLLOUT;
}

/* Counts what is lost. */
static bool log_write(const char *line, size_t len)
{
    if (log_may_write() && write(STDERR_FILENO, line, len) > 0) return true;
    log_lost++;
    return false;
}

/* Writes what is to be said, without what makes it a line: printable, and with the number of lines that were lost before. */
static void log_say(char out[LOG_LINE], const char *text)
{
    const char *end =
        out + LOG_LINE - LOG_LOST_ROOM - strlen(log_process) - 8; /* <6>, a colon, a blank, a line's end */
    char *at = log_copy(out, end, text);
    *at = '\0';
    if (log_lost > 0) snprintf(at, LOG_LOST_ROOM, " lost_lines=%lu", log_lost);
}

static size_t log_format(char out[LOG_RAW], enum log_level level, const char *said)
{
    const char *prefix = (log_style & LOG_STYLE_JOURNAL) != 0 ? log_levels[level].prefix : "";
    if ((log_style & LOG_STYLE_JSON) == 0)
        return (size_t)snprintf(out, LOG_LINE + 1, "%s%s: %s\n", prefix, log_process, said);
    const struct log_event event = {.time_ms = clock_wall_ms(),
                                    .level = log_levels[level].name,
                                    .process = log_process,
                                    .pid = log_pid,
                                    .text = said};
    size_t len = (size_t)snprintf(out, LOG_RAW, "%s", prefix);
    len += log_json(out + len, LOG_RAW - len - 1, &event);
    out[len++] = '\n';
    return len;
}

static void __attribute__((format(printf, 2, 0))) log_write_line(enum log_level level, const char *format, va_list args)
{
    char text[LOG_LINE], said[LOG_LINE], line[LOG_RAW];
    if (vsnprintf(text, sizeof(text), format, args) < 0) return;
    log_say(said, text);
    if (log_write(line, log_format(line, level, said))) log_lost = 0; /* and this line has said so */
}

void log_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write_line(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write_line(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write_line(LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_raw(const char *text)
{
    char line[LOG_RAW];
    char *at = log_copy(line, line + sizeof(line) - 1, text);
    *at++ = '\n';
    (void)log_write(line, (size_t)(at - line));
}

const char *log_quote(const char *text)
{
    static char buffers[LOG_QUOTES][LOG_QUOTE];
    static unsigned next;
    char *buffer = buffers[next++ % LOG_QUOTES];
    const char *end = buffer + LOG_QUOTE - 2; /* the closing quote and the NUL */
    char *at = buffer;
    *at++ = '\'';
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = log_plain(c) && c != '\'' && c != '"' && c != '\\';
        if (end - at < (plain ? 1 : 4)) break;
        if (plain)
            *at++ = (char)c;
        else
            at = log_escape(at, c);
    }
    *at++ = '\'';
    *at = '\0';
    return buffer;
}
