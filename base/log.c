#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A write of at most PIPE_BUF bytes to a pipe is not interleaved with another's (pipe(7)). */
_Static_assert(LOG_LINE <= 4096 && LOG_RAW <= 4096, "a log line must be one atomic write");

#define LOG_PROCESS 64
#define LOG_QUOTE 512
#define LOG_QUOTES 8
#define LOG_LOST_ROOM 48

static char log_process[LOG_PROCESS] = "keyward";
static unsigned long log_lost;

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

void log_line(const char *format, ...)
{
    char text[LOG_LINE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0) return;

    char line[LOG_LINE];
    const char *end = line + sizeof(line) - LOG_LOST_ROOM;
    char *at = log_copy(line, end, log_process);
    at = log_copy(at, end, ": ");
    at = log_copy(at, end, text);
    if (log_lost > 0) at += snprintf(at, LOG_LOST_ROOM - 1, " lost_lines=%lu", log_lost);
    *at++ = '\n';

    if (log_write(line, (size_t)(at - line))) log_lost = 0; /* and this line has said so */
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
