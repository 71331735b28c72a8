/* What a process has to say: one event a line on standard error, "PROCESS: EVENT key=value key='two words'", or the same as JSON
 * (docs/LOGS.md has the schema).
 *
 * Safe for hostile values: control characters, quotes and bytes beyond ASCII are written as \xHH, and a line is cut
 * at LOG_LINE bytes (LOG_RAW as JSON) and written with one write(2), so lines of several processes do not mix. A full pipe loses the
 * line, never blocks the process; how many were lost is said in the next line that goes out.
 * Secrets are never passed here. */
#ifndef KEYWARD_BASE_LOG_H
#define KEYWARD_BASE_LOG_H

#define LOG_LINE 2048

/* How lines look, a set, below LIMIT_LOG_STYLES. The default: text, for whoever reads it. */
enum {
    LOG_STYLE_JSON = 1,
    LOG_STYLE_JOURNAL = 2, /* each line begins with its level, "<3>", for journald (sd-daemon(3)) */
};

/* log_open names the process, such as "web[0]"; the name is copied. Before it lines start with "keyward". */
void log_open(const char *process);

/* log_set_style says how lines look from here on. */
void log_set_style(unsigned style);

/* log_stderr_style returns LOG_STYLE_JOURNAL if standard error leads to journald, as $JOURNAL_STREAM says; otherwise 0. */
unsigned log_stderr_style(void);

/* log_line writes one line about what is in order; log_warning about what an operator should know; log_error about what is not as it should
 * be and wants somebody to act. Format is printf's; put values that a peer chose through log_quote. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* log_quote returns text quoted and escaped for a log line: 'text'. The result is one of eight static buffers used in
 * turn, each cut at 512 bytes. A NULL text gives ''. */
const char *log_quote(const char *text);

/* log_raw writes text as a line of its own, without the process's name, for readers that are programs. Control
 * characters and bytes beyond ASCII become \xHH; what is beyond LOG_RAW bytes is lost. */
#define LOG_RAW 4096
void log_raw(const char *text);

#endif
